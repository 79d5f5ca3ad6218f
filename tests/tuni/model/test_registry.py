"""A checkpoint is read by the first kind that knows its files, those of other packages too."""

import pytest

from tuni.errors import CheckpointError, RequestError
from tuni.model.load import load_target
from tuni.model.reading.source import CheckpointSource
from tuni.model.registry import BUILT_IN, TargetKind, kinds, register_kind


def kind(**changes):
    settings = {"name": "toy", "words": "toy.json", "module": "toy_target"} | changes
    return TargetKind(reads=lambda source: source.has("toy.json"), **settings)


def test_a_folder_that_no_kind_reads_is_refused_with_what_each_needs(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint that can be read") as caught:
        load_target(tmp_path)
    assert all(known.words in caught.value.fix for known in BUILT_IN)


def test_a_source_knows_its_files(tmp_path):
    (tmp_path / "toy.json").touch()
    assert CheckpointSource(tmp_path).has("toy.json")
    assert not CheckpointSource(tmp_path).has("config.json")
    assert not CheckpointSource(None, "ViT-B-32", tmp_path / "toy.json").has("toy.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "open_clip"}, "is there already"),
        ({"words": ""}, "with words"),
        ({"module": "no_such_module"}, "there is no module no_such_module"),
    ],
)
def test_an_incomplete_kind_or_one_of_a_taken_name_is_refused(changes, reason):
    with pytest.raises(RequestError, match=reason):
        register_kind(kind(**changes))
    assert [known.name for known in kinds()] == ["open_clip", "transformers"]

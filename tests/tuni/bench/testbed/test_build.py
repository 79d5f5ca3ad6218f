"""A testbed folder: what is in it, that it is whole, kept and the same each time."""

import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.objects import read_csv
from tuni.bench.testbed import Testbed, TestbedSettings, make_testbed
from tuni.bench.testbed.models import build_model
from tuni.bench.testbed.training_set import training_pictures
from tuni.errors import HomeError
from tuni.model.load import load_target
from tuni.progress import SILENT

TEST = TestbedSettings.of_size("test", 1)
TINY = TestbedSettings(
    cultures=("en_US",), parts=6, members=((1, 2), (10, 3)), background=((1, 1),), strangers=4,
    hard=1, anonymous=2, scenes=1, labelled=2, watch_members=2, watch_strangers=2, bank=2,
    width=32, text_layers=1, vision_width=32, vision_layers=1, patch=32, epochs=1, batch=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Testbed:
    return make_testbed(TEST, tmp_path_factory.mktemp("testbeds"))


class Counting:
    """Counts the units of each stage."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        self.seen[label] = [total, 0]

        def step(units: int) -> None:
            self.seen[label][1] += units

        yield step


class Interrupting:
    """Presses Ctrl-C at the first step of a stage."""

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        def step(units: int) -> None:
            raise KeyboardInterrupt

        yield step


def test_truth_holds_everybody_with_group_captions_and_culture(bed: Testbed) -> None:
    truth = read_csv(bed.truth)
    assert list(truth[0]) == ["text", "member", "captions", "group", "culture"]
    trained = sum(n for _captions, n in (*TEST.members, *TEST.background))
    assert len(truth) == trained + TEST.strangers + TEST.hard
    for row in truth:
        assert row["member"] == str(int(row["group"] in ("member", "background")))
        assert (int(row["captions"]) > 0) == (row["member"] == "1")


def test_labelled_list_tells_members_of_every_caption_count(bed: Testbed) -> None:
    truth = {row["text"]: row for row in read_csv(bed.truth)}
    labelled = read_csv(bed.labelled)
    assert list(labelled[0]) == ["text", "member", "captions"]
    for member in ("0", "1"):
        assert sum(row["member"] == member for row in labelled) == TEST.labelled
    for row in labelled:
        assert truth[row["text"]]["group"] == ("member" if row["member"] == "1" else "stranger")
        assert truth[row["text"]]["captions"] == row["captions"]
    counts = {int(row["captions"]) for row in labelled if row["member"] == "1"}
    assert counts == {captions for captions, _n in TEST.members}


def test_watch_list_shares_nobody_with_the_labelled_list(bed: Testbed) -> None:
    truth = {row["text"]: row["group"] for row in read_csv(bed.truth)}
    watch = read_csv(bed.watch)
    assert {"id", "text"} == set(watch[0])
    assert len({row["id"] for row in watch}) == len(watch)
    assert not {row["text"] for row in watch} & {row["text"] for row in read_csv(bed.labelled)}
    groups = [truth[row["text"]] for row in watch]
    assert groups.count("member") == TEST.watch_members
    assert groups.count("stranger") == TEST.watch_strangers == len(watch) - TEST.watch_members


def test_request_names_what_lies_beside_it(bed: Testbed) -> None:
    request = tomllib.loads(bed.request.read_text(encoding="utf-8"))
    assert (bed.folder / request["checkpoint"]["folder"]) == bed.checkpoint
    assert (bed.folder / request["subjects"]["labelled"]) == bed.labelled
    assert (bed.folder / request["subjects"]["list"]) == bed.watch
    assert (bed.folder / request["bank"]["images"]) == bed.bank
    assert request["subjects"]["kind"] == "name"


def test_bank_holds_the_asked_number_of_pictures(bed: Testbed) -> None:
    pictures = sorted(bed.bank.glob("*.png"))
    assert len(pictures) == TEST.bank
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (64, 64)


def test_checkpoint_loads_and_has_room_for_prompted_names(bed: Testbed) -> None:
    target = load_target(bed.checkpoint)
    assert target.context_length >= 24
    longest = max((row["text"] for row in read_csv(bed.truth)), key=len)
    assert int(target.token_counts([f"a close-up photo of {longest} at the beach"])[0]) <= 24


def test_token_table_of_the_checkpoint_is_the_random_one(bed: Testbed) -> None:
    kept = load_file(bed.checkpoint / "open_clip_model.safetensors")["token_embedding.weight"]
    assert torch.equal(kept, build_model(TEST).token_embedding.weight.half())


def test_model_finds_people_in_new_pictures(bed: Testbed) -> None:
    learnt = json.loads(bed.about.read_text(encoding="utf-8"))["retrieval"]
    assert learnt["top_5"] > 2 * 5 * learnt["chance_top_1"] or learnt["top_5"] > 0.6


def test_equal_settings_give_equal_files_wherever_they_are_made(
    bed: Testbed, tmp_path: Path
) -> None:
    first = make_testbed(TINY, tmp_path / "one")
    second = make_testbed(TINY, tmp_path / "two")
    files = sorted(path.relative_to(first.folder) for path in first.folder.rglob("*.*"))
    assert len(files) == 6 + TINY.bank + 1
    for path in files:
        assert (first.folder / path).read_bytes() == (second.folder / path).read_bytes()


def test_global_random_state_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_testbed(TINY, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_finished_testbed_is_found_again_without_work(bed: Testbed) -> None:
    assert make_testbed(TEST, bed.folder.parent, Interrupting()) == bed


def test_progress_adds_up(tmp_path: Path) -> None:
    progress = Counting()
    make_testbed(TINY, tmp_path, progress)
    assert len(progress.seen) == 2
    assert all(total == done for total, done in progress.seen.values())
    assert progress.seen["drawing pictures"][0] == training_pictures(TINY)


def test_interrupted_making_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make_testbed(TINY, tmp_path, Interrupting())
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_named_as_the_cause(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    with pytest.raises(HomeError):
        make_testbed(TINY, blocked, SILENT)


def test_younger_settings_leave_older_testbeds_their_hash() -> None:
    # A release whose testbeds lie in homes: these two must not be trained again.
    assert TEST.hash.startswith("5c3b817dd346")
    assert TestbedSettings().hash.startswith("7ef22d51f799")


def test_namesakes_move_nothing_but_the_truth(tmp_path: Path) -> None:
    plain = make_testbed(TINY, tmp_path)
    more = make_testbed(replace(TINY, namesakes=2), tmp_path)
    for name in ("labelled.csv", "watch.csv", "checkpoint/open_clip_model.safetensors"):
        assert (plain.folder / name).read_bytes() == (more.folder / name).read_bytes()
    truth, wider = read_csv(plain.truth), read_csv(more.truth)
    assert wider[: len(truth)] == truth
    added = wider[len(truth) :]
    members = {row["text"] for row in truth if row["group"] == "member"}
    assert [row["group"] for row in added] == ["namesake", "namesake"]
    assert {row["text"] for row in added} <= members
    assert {(row["member"], row["captions"]) for row in added} == {("0", "0")}

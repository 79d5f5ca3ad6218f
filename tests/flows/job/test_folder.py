"""A job's results are kept whole or not at all."""

import pytest

from flows.job.folder import CHOICE, JobFolder
from tuni.errors import HomeError


@pytest.fixture
def folder(tmp_path) -> JobFolder:
    return JobFolder.open(tmp_path / "jobs" / "one")


def test_what_is_kept_comes_back(folder):
    folder.keep(CHOICE, {"b": [1, 2.5, None], "a": "ü"})
    assert folder.kept(CHOICE) == {"b": [1, 2.5, None], "a": "ü"}
    assert JobFolder.open(folder.path).kept(CHOICE) == folder.kept(CHOICE)


def test_what_was_not_kept_is_none(folder):
    assert folder.kept(CHOICE) is None


def test_a_second_value_replaces_the_first_and_leaves_nothing_beside_it(folder):
    folder.keep(CHOICE, 1)
    folder.keep(CHOICE, 2)
    assert folder.kept(CHOICE) == 2
    assert sorted(path.name for path in folder.path.iterdir()) == [CHOICE, "figures"]


def test_a_value_that_is_no_json_leaves_the_kept_one(folder):
    folder.keep(CHOICE, 1)
    with pytest.raises(TypeError):
        folder.keep(CHOICE, {"x": object()})
    assert folder.kept(CHOICE) == 1


def test_texts_and_paths(folder):
    folder.keep_text("report.html", "<p>ü</p>")
    assert (folder / "report.html").read_text(encoding="utf-8") == "<p>ü</p>"
    assert (folder / "figures").is_dir()


def test_equal_values_give_equal_bytes(folder):
    folder.keep("one.json", {"a": 1, "b": 2})
    folder.keep("two.json", {"b": 2, "a": 1})
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_a_folder_that_cannot_be_written_is_the_homes_fault(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be written"):
        JobFolder.open(tmp_path / "file")
    with pytest.raises(HomeError, match="cannot be written"):
        folder.keep_text("none/report.html", "")

"""What can be known from a request alone is told at once, all of it."""

import pytest

from flows.machine.mistakes import require_paths
from flows.machine.settings import read_request
from tuni.errors import RequestError

REQUEST = """
[checkpoint]
name = "a"
folder = "checkpoint"
[subjects]
labelled = "labelled.csv"
list = "list.csv"
[bank]
images = "bank"
"""


def test_every_path_that_leads_nowhere_is_named_with_its_field(tmp_path):
    (tmp_path / "request.toml").write_text("\ufeff" + REQUEST, encoding="utf-8")
    (tmp_path / "list.csv").touch()
    (tmp_path / "bank").touch()
    with pytest.raises(RequestError) as refused:
        require_paths(read_request(tmp_path / "request.toml"))
    told = refused.value.problem
    assert "checkpoint.folder: 'checkpoint' is not a folder" in told
    assert "subjects.labelled: no file 'labelled.csv'" in told
    assert "bank.images: 'bank' is not a folder" in told
    assert "subjects.list" not in told
    (tmp_path / "bank").unlink()
    for name in ("checkpoint", "bank"):
        (tmp_path / name).mkdir()
    (tmp_path / "labelled.csv").touch()
    require_paths(read_request(tmp_path / "request.toml"))


def test_nothing_is_loaded_for_a_request_that_leads_nowhere(tuni, tmp_path, refused):
    (tmp_path / "request.toml").write_text(REQUEST, encoding="utf-8")
    ended = tuni("run", tmp_path / "request.toml")
    refused(ended, "checkpoint.folder", "subjects.labelled", "subjects.list", "bank.images")
    assert "loading" not in ended.err

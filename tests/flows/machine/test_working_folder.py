"""What lies where a command is started is obeyed only where nobody else can have put it there."""

import grp
import os
import pwd
import subprocess
import sys

import pytest

from flows.machine.environment import prepare
from flows.machine.settings import Settings

NOBODY = 65534
OBEYED = ("", ".env", "prefect.toml", "pyproject.toml", "matplotlibrc")  # "": the folder itself


@pytest.mark.skipif(
    os.geteuid() != 0, reason="another account: only root can give it a file, or its group"
)
@pytest.mark.parametrize("file", OBEYED)
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o622, 0o660, None])
def test_what_others_may_change_is_refused(tuni, refused, home, tmp_path, monkeypatch, file, mode):
    """Settings of Prefect name those of its log, which name code: another account's was run."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / file).touch()
    os.chown(folder / file, *((NOBODY, -1) if mode is None else (-1, NOBODY)))
    (folder / file).chmod(mode or 0o755)
    monkeypatch.chdir(folder)
    fix = "cd ~" if not file else "chown" if mode is None else "chmod go-w"
    refused(tuni("audits", "list"), str(folder / file), fix, code=1)
    assert not home.exists()


def test_ones_own_folder_and_group_are_trusted(tuni, tmp_path, monkeypatch):
    """Where each account has a group of its own, that may write to all its files."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "pyproject.toml").chmod(0o664)
    tmp_path.chmod(0o775)
    monkeypatch.chdir(tmp_path)
    own = grp.getgrgid(tmp_path.stat().st_gid).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    assert tuni("audits", "list").code == (0 if own else 1)


def test_a_folder_that_was_removed_holds_nothing(tuni, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert tuni("audits", "list").code == 0


def test_children_import_nothing_from_there(tmp_path, monkeypatch):
    (tmp_path / "planted.py").touch()
    monkeypatch.chdir(tmp_path)
    prepare(Settings(home=tmp_path / "home"))
    for command in (["-m", "planted"], ["-c", "import planted"]):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        assert "No module named" in done.stderr

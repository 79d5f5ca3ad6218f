import subprocess
import sys
from pathlib import Path

import pytest

from registry.home import Home
from tuni.errors import HomeError


def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "deep" / "home")
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match="cannot be made"):
        Home.open(tmp_path / "file")
    with pytest.raises(HomeError, match="TUNI_HOME"):
        Home.open(tmp_path / "file" / "below")


def test_home_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(HomeError, match="chmod 700"):
        Home.open(tmp_path / "open")


def test_lock_is_held_against_other_processes(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home\n"
        "with Home.open(Path(sys.argv[1])).lock('x', 0.1): pass"
    )
    command = [sys.executable, "-c", code, str(home.root)]
    with home.lock("x"):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another tuni process" in refused.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0

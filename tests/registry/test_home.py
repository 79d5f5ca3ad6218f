import subprocess
import sys
from pathlib import Path

import pytest

from registry.home import Home
from registry.ledger import Ledger
from registry.pseudonyms import Keys
from tuni.errors import HomeError


def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "deep" / "home")
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_key_is_made_once_and_kept(home: Home) -> None:
    key = home.key
    assert len(key) == 32
    assert Home.open(home.root).key == key
    assert home.key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.root.iterdir() if path.name.startswith(".key")] == []


def test_processes_that_start_together_share_one_key(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "print(Home.open(Path(sys.argv[1])).key.hex())"
    )
    command = [sys.executable, "-c", code, str(home.root)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    keys = {process.communicate()[0].strip() for process in started}
    assert keys == {home.key.hex()}


def test_key_that_others_may_read_is_refused_with_the_command_that_mends_it(home: Home) -> None:
    assert home.key
    home.key_file.chmod(0o640)
    with pytest.raises(HomeError, match=f"chmod 600 {home.key_file}"):
        _ = home.key


def test_key_of_another_length_is_refused_and_left_alone(home: Home) -> None:
    assert home.key
    home.key_file.write_bytes(b"short")
    with pytest.raises(HomeError, match="5 bytes, expected 32"):
        _ = home.key
    assert home.key_file.read_bytes() == b"short"


def test_lost_key_beside_a_ledger_is_an_error_and_no_new_one_is_made(home: Home) -> None:
    Ledger.open(home, Keys.load(home)).close()
    home.key_file.unlink()
    with pytest.raises(HomeError, match="missing, but"):
        Ledger.open(home, Keys.load(home))
    assert not home.key_file.exists()


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

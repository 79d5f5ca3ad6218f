import os
import stat
from pathlib import Path

import pytest

from registry.home import Home
from registry.keys import secret_file
from tuni.errors import HomeError


def test_secret_is_made_once_and_for_its_owner_alone(home: Home) -> None:
    place = home.root / "login"
    before = os.umask(0)
    try:
        made = secret_file.read_or_make(home, place, lambda: b"first", what="login")
    finally:
        os.umask(before)
    assert made == b"first"
    assert secret_file.read_or_make(home, place, lambda: b"second", what="login") == b"first"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not list(home.root.glob(".tuni-*"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_secret_that_others_may_read_or_write_is_refused(home: Home, mode: int) -> None:
    place = home.root / "login"
    place.write_bytes(b"x")
    place.chmod(mode)
    with pytest.raises(HomeError, match=f"chmod 600 {place}"):
        secret_file.read(place, what="login")
    with pytest.raises(HomeError, match="do that"):
        secret_file.read(place, what="login", fix="do that")


@pytest.mark.skipif(os.geteuid() != 0, reason="another account: only root gives a file away")
def test_secret_of_another_account_is_refused_even_through_a_link(home: Home) -> None:
    place, link = home.root / "login", home.root / "link"
    secret_file.write(place, b"x", what="login")
    os.chown(place, 12345, 12345)
    link.symlink_to(place)
    for path in (place, link):
        with pytest.raises(HomeError, match="another account"):
            secret_file.read(path, what="login")


def test_what_is_no_secret_is_refused_at_once(home: Home) -> None:
    os.mkfifo(home.root / "pipe", 0o600)
    (home.root / "folder").mkdir(mode=0o700)
    secret_file.write(home.root / "empty", b"", what="login")
    secret_file.write(home.root / "large", b"x" * 20_000, what="login")
    for name in ("pipe", "folder", "empty", "large", "none"):
        with pytest.raises(HomeError, match=name):
            secret_file.read(home.root / name, what="login")


def test_a_link_that_waits_at_the_secrets_place_is_not_followed(home: Home, tmp_path: Path) -> None:
    (home.root / "login").symlink_to(tmp_path / "elsewhere")
    made = secret_file.read_or_make(home, home.root / "login", lambda: b"x", what="login")
    assert made == b"x"
    assert not (tmp_path / "elsewhere").exists()
    assert not (home.root / "login").is_symlink()

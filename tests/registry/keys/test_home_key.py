from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from registry.home import Home
from registry.keys import home_key as keys
from registry.keys.home_key import Wrapper, WrongKey, home_key, make_key, seal, unseal
from registry.ledger.ledger import Ledger
from tests.forked import run_all
from tuni.errors import HomeError, RequestError

CIPHER = AESGCM(bytes(range(32)))


def test_key_is_made_once_and_kept(home: Home) -> None:
    key = home_key(home)
    assert len(key) == 32
    assert home_key(Home.open(home.root)) == key
    assert home.key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.root.iterdir() if path.name.startswith(".key")] == []


def test_processes_that_start_together_share_one_key(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.keys.home_key import home_key;"
        "print(home_key(Home.open(Path(sys.argv[1]))).hex())"
    )
    keys = {done.stdout.strip() for done in run_all(code, [[home.root]] * 6)}
    assert keys == {home_key(home).hex()}


def test_key_that_others_may_read_is_refused_with_the_command_that_mends_it(home: Home) -> None:
    home_key(home)
    home.key_file.chmod(0o640)
    with pytest.raises(HomeError, match=f"chmod 600 {home.key_file}"):
        home_key(home)


def test_key_of_another_length_is_refused_and_left_alone(home: Home) -> None:
    home_key(home)
    home.key_file.write_bytes(b"short")
    with pytest.raises(HomeError, match="5 bytes, expected 32"):
        home_key(home)
    assert home.key_file.read_bytes() == b"short"


def test_lost_key_beside_a_ledger_is_an_error_and_no_new_one_is_made(home: Home) -> None:
    Ledger.open(home).close()
    home.key_file.unlink()
    with pytest.raises(HomeError, match="missing, but"):
        Ledger.open(home)
    assert not home.key_file.exists()


def test_key_may_come_from_elsewhere(home: Home, tmp_path: Path) -> None:
    away = replace(home, key_path=tmp_path / "away")
    with pytest.raises(HomeError, match="TUNI_KEY_FILE: no file"):  # it may be mistyped
        Ledger.open(away)
    assert not (tmp_path / "away").exists()
    make_key(away)
    with Ledger.open(away) as ledger:
        mark = ledger.keys.pseudonym("Ada Lovelace")
    assert not (home.root / "key").exists()
    given = replace(home, key_text=(tmp_path / "away").read_bytes().hex())
    with Ledger.open(given) as ledger:
        assert ledger.keys.pseudonym("Ada Lovelace") == mark


@pytest.mark.parametrize("value", ["", "x" * 64, "ab" * 31])
def test_variable_that_is_no_key_is_refused_without_repeating_it(home: Home, value: str) -> None:
    with pytest.raises(RequestError, match="TUNI_KEY") as caught:
        home_key(replace(home, key_text=value))
    assert not value or value not in str(caught.value)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_unsealing_gives_back_what_was_sealed(content: bytes, place: str) -> None:
    assert unseal(CIPHER, seal(CIPHER, content, place), place) == content


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_flipped_bit_anywhere_is_noticed(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(CIPHER, content, "here"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WrongKey):
        unseal(CIPHER, bytes(sealed), "here")


def test_a_value_moved_elsewhere_or_cut_or_read_with_another_key_is_noticed() -> None:
    sealed = seal(CIPHER, b"x", "here")
    other = AESGCM(bytes(32))
    for cipher, value, place in (
        (CIPHER, sealed, "there"),
        (CIPHER, sealed[:5], "here"),
        (other, sealed, "here"),
    ):
        with pytest.raises(WrongKey):
            unseal(cipher, value, place)


def test_equal_contents_look_different() -> None:
    assert seal(CIPHER, b"x", "here") != seal(CIPHER, b"x", "here")


def test_a_wrapped_key_belongs_to_its_owner() -> None:
    wrapper = Wrapper(bytes(32))
    assert wrapper.unwrap(wrapper.wrap(b"k" * 32, "one"), "one") == b"k" * 32
    with pytest.raises(WrongKey):
        wrapper.unwrap(wrapper.wrap(b"k" * 32, "one"), "two")


def test_a_later_rotations_key_is_not_taken_for_the_one_that_ended(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    first = keys.home_key(home)
    keys.write_key(keys.next_file(home))
    ended = keys.next_key(home)
    assert ended is not None
    keys.adopt_next(home, ended)
    keys.adopt_next(home, ended)  # another process that saw the same
    assert keys.home_key(home) == ended != first
    keys.write_key(keys.next_file(home))
    keys.adopt_next(home, ended)
    assert keys.home_key(home) == ended

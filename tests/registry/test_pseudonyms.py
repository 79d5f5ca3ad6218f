import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.pseudonyms import Keys
from tuni.errors import HomeError

KEYS = Keys(bytes(range(32)))
OTHER = Keys(bytes(32))


def test_pseudonym_is_of_the_person_and_the_variant_of_the_spelling() -> None:
    one, two = "Ada  Lovelace", "ADA LOVELACE"
    assert KEYS.pseudonym(one) == KEYS.pseudonym(two)
    assert KEYS.variant(one) != KEYS.variant(two)
    assert len(KEYS.pseudonym(one)) == 64


@given(st.text())
def test_another_key_gives_another_pseudonym_for_any_text(text: str) -> None:
    assert KEYS.pseudonym(text) != OTHER.pseudonym(text)


def test_each_purpose_has_a_key_of_its_own() -> None:
    digest = KEYS.content_digest(b"ada lovelace")
    values = {KEYS.split_key.hex(), KEYS.check, KEYS.pseudonym("ada lovelace"), digest}
    assert len(values) == 4
    assert bytes(range(32)).hex() not in values


@given(st.binary(max_size=200), st.text(max_size=20))
def test_decrypting_gives_back_what_was_encrypted(content: bytes, place: str) -> None:
    assert KEYS.decrypt(KEYS.encrypt(content, place), place) == content


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_flipped_bit_anywhere_is_noticed(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(KEYS.encrypt(content, "here"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(HomeError, match="altered"):
        KEYS.decrypt(bytes(sealed), "here")


def test_a_value_moved_elsewhere_or_cut_or_read_with_another_key_is_noticed() -> None:
    sealed = KEYS.encrypt(b"x", "here")
    for keys, value, place in (
        (KEYS, sealed, "there"),
        (KEYS, sealed[:5], "here"),
        (OTHER, sealed, "here"),
    ):
        with pytest.raises(HomeError):
            keys.decrypt(value, place)


def test_equal_contents_look_different() -> None:
    assert KEYS.encrypt(b"x", "here") != KEYS.encrypt(b"x", "here")

from hypothesis import given
from hypothesis import strategies as st

from registry.keys.pseudonyms import Keys

KEYS = Keys(bytes(range(32)))
OTHER = Keys(bytes(32))


def test_pseudonym_is_of_the_person_and_the_variant_of_the_spelling() -> None:
    one, two = "Ada  Lovelace", "ADA LOVELACE"
    assert KEYS.pseudonym(one) == KEYS.pseudonym(two)
    assert KEYS.variant(one) != KEYS.variant(two)
    assert len(KEYS.pseudonym(one)) == 64


@given(st.text())
def test_another_root_gives_another_pseudonym_for_any_text(text: str) -> None:
    assert KEYS.pseudonym(text) != OTHER.pseudonym(text)


def test_each_purpose_has_a_key_of_its_own() -> None:
    text = "ada lovelace"
    values = {
        KEYS.split_key.hex(),
        KEYS.pseudonym(text),
        KEYS.content_digest(text.encode()),
        KEYS.chain("", text),
    }
    assert len(values) == 4
    assert bytes(range(32)).hex() not in values

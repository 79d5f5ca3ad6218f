import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.errors import RequestError, TooFewTexts
from tuni.texts.gibberish import GibberishSpec, gibberish
from tuni.texts.names import parse_name
from tuni.texts.text import canonical, refusal


@given(st.integers(0, 700), st.integers(1, 3), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_gibberish_is_distinct_usable_and_repeatable(n: int, parts: int, seed: int) -> None:
    spec = GibberishSpec(parts=parts)
    texts = gibberish(n, spec, seed, frozenset())
    assert len({canonical(text) for text in texts}) == len(texts) == n
    assert all(refusal(text) is None for text in texts)
    assert all(len(text.split(" ")) == parts for text in texts)
    assert all(3 <= len(part) <= 10 for text in texts for part in text.split(" "))
    assert gibberish(n, spec, seed, frozenset()) == texts


def test_another_seed_gives_other_texts() -> None:
    spec = GibberishSpec()
    assert set(gibberish(50, spec, 0, frozenset())) != set(gibberish(50, spec, 1, frozenset()))


def test_gibberish_of_several_parts_has_a_given_and_a_family_part() -> None:
    spec = GibberishSpec(alphabet="voniajr", min_length=2, max_length=3)
    assert all(parse_name(text).last for text in gibberish(3000, spec, 0, frozenset()))


def test_forbidden_texts_never_come_out() -> None:
    spec = GibberishSpec(alphabet="ab", min_length=1, max_length=3, parts=1)
    all_of_it = gibberish(14, spec, 0, frozenset())
    forbidden = frozenset(all_of_it[:6])
    assert set(gibberish(8, spec, 1, forbidden)) == set(all_of_it[6:])


def test_parts_are_shared_so_that_neighbours_are_cheap() -> None:
    texts = gibberish(2000, GibberishSpec(), 0, frozenset())
    assert len({part for text in texts for part in text.split(" ")}) <= 250


def test_an_alphabet_that_cannot_give_so_many_is_refused() -> None:
    spec = GibberishSpec(alphabet="ab", min_length=1, max_length=2)
    with pytest.raises(TooFewTexts):
        gibberish(1000, spec, 0, frozenset())


def test_signs_that_would_build_a_special_token_or_entity_are_kept_out() -> None:
    texts = gibberish(500, GibberishSpec(alphabet="&lt;gamp<|>"), 0, frozenset())
    assert all(refusal(text) is None for text in texts)


@pytest.mark.parametrize(
    "fields",
    [
        {"alphabet": ""},
        {"alphabet": "a b"},
        {"min_length": 0},
        {"min_length": 5, "max_length": 4},
        {"parts": 0},
        {"parts": 50},
    ],
)
def test_an_impossible_spec_is_refused(fields: dict) -> None:
    with pytest.raises(RequestError):
        GibberishSpec(**fields)

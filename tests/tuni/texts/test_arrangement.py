"""Names as lists write them become names as captions write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.texts.arrangement import arrangement_refusal, rearranged
from tuni.texts.kind import text_kind

PARTS = st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True).filter(
    lambda part: part.casefold() not in {"jr", "sr", "ii", "iii", "iv", "md", "esq", "phd"}
)


@given(PARTS, PARTS)
def test_both_arrangements_come_back_as_captions_write_them(first, last):
    name = f"{first} {last}"
    for written, arrangement in (
        (f"{last}, {first}", "last-first"),
        (f"{last} ,{first}", "last-first"),
        (f"{first}_{last}", "underscores"),
    ):
        assert arrangement_refusal(written) is not None
        assert rearranged(written, arrangement) == name
        assert arrangement_refusal(name) is None
        assert rearranged(name, arrangement) == name


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "Martin King, Jr.",
        "Ada Roe, Ph.D.",
        "Roe,",
        ", Ada",
        "a, b, c",
        "_Ada",
        "Ada_",
    ],
)
def test_what_is_no_arrangement_stays_as_it_is(name):
    assert arrangement_refusal(name) is None
    for arrangement in ("first-last", "last-first", "underscores"):
        assert rearranged(name, arrangement) == name


def test_a_name_in_another_arrangement_is_refused_with_the_option_that_reads_it():
    refusal = text_kind("name").refusal
    assert "--names last-first" in (refusal("Lovelace, Ada") or "")
    assert "--names underscores" in (refusal("Ada_Lovelace") or "")
    assert refusal("Ada Lovelace") is None

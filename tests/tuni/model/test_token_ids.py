"""Ids are the tokenizer's own, whatever the text and however the tokenizer cleans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from tuni.model.token_ids import TokenIds

PLAIN = SimpleTokenizer()
IDS = TokenIds(PLAIN)
ODD = st.sampled_from(
    ["Ada", "van der", "O'Neil", "'s", "&amp;", "&", "<end_of_text>", "é", "Ã©", "\u2019", "\t",
     "\x1b[0m", "  ", "İ", "ﬁ", "李", "7", "_", "A.B."]
)  # fmt: skip


LETTERS = "AaÄäÃãÂâéÉßñøŁąΣσçÇ©¤ '’-.І李김ａ＆;"  # noqa: RUF001


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.lists(ODD, max_size=8).map("".join)))
def test_ids_are_the_tokenizers_own(text):
    assert IDS(text) == PLAIN.encode(text)


@settings(max_examples=300)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_ids_of_printable_ascii_are_the_tokenizers_own(text):
    assert IDS(text) == PLAIN.encode(text)


@settings(max_examples=500)
@given(st.lists(st.text(st.sampled_from(LETTERS), max_size=6), max_size=5))
def test_ids_of_letters_beyond_ascii_are_the_tokenizers_own(words):
    text = " ".join(words)
    assert IDS(text) == PLAIN.encode(text)


@pytest.mark.parametrize(
    "text",
    ["José Ã©", "Ã © x", "ＡＢ ñ", "ΑΣ Σ", "a\u0301 b", "＆amp; é"],  # noqa: RUF001
)
def test_what_ftfy_mends_is_mended(text):
    assert TokenIds(SimpleTokenizer())(text) == PLAIN.encode(text)


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
@pytest.mark.parametrize("text", ["Ada B. Roe", "a_b  C", "x & y", "Zoë\tLi", "", " "])
def test_ids_follow_the_tokenizers_cleaning(clean, text):
    tokenizer = SimpleTokenizer(clean=clean)
    assert TokenIds(tokenizer)(text) == tokenizer.encode(text)


def test_an_answer_cannot_be_spoilt_by_who_got_it():
    IDS("Ada").append(7)
    IDS("Zoë").append(7)
    assert IDS("Ada") == PLAIN.encode("Ada")
    assert IDS("Zoë") == PLAIN.encode("Zoë")

# ruff: noqa: RUF001 - look-alike signs are the matter of these tests
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tuni.texts.text import (
    JOINERS,
    MAX_CHARACTERS,
    PROMPTS_8,
    PROMPTS_24,
    SPECIAL_TOKENS,
    canonical,
    clean_text,
    refusal,
    script_of,
)
from tuni.visible import markdown, one_line, visible

SCRIPTS = [
    "Ada Lovelace",
    "王伟",
    "김민수",
    "Анна Смирнова",
    "محمد العلي",
    "अभय शर्मा",
    "José Ñuñez",
]
anything = st.text(max_size=40)


@given(anything)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(anything)
def test_canonical_form_of_a_canonical_form_is_itself(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@given(anything)
def test_cleaning_keeps_the_subject(text: str) -> None:
    assert canonical(clean_text(text)) == canonical(text)


@given(st.sampled_from(SCRIPTS), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_every_unicode_spelling_is_one_subject(text: str, form: str) -> None:
    assert canonical(unicodedata.normalize(form, text)) == canonical(text)


def test_cleaning_keeps_case_and_joins_white_space() -> None:
    assert clean_text("  Ada\u00a0 \tLOVELACE ") == "Ada LOVELACE"
    assert clean_text("Jose\u0301") == "José"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ADA lovelace", "Ada Lovelace"),
        ("Catherine O’Hara", "Catherine O'Hara"),
        ("Julia Louis‐Dreyfus", "Julia Louis-Dreyfus"),
        ("Ｊｏｈｎ Smith", "John Smith"),
        ("Straße", "STRASSE"),
    ],
)
def test_typographic_variants_are_one_subject(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_accents_tell_subjects_apart() -> None:
    assert canonical("José") != canonical("Jose")


@pytest.mark.parametrize(
    "text", [*SCRIPTS, " Ada Lovelace\n", "AT&T", "a < b", "x" * MAX_CHARACTERS]
)
def test_usable_texts_are_not_refused(text: str) -> None:
    assert refusal(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("Ada\x07", "control"),
        ("Ada\tLovelace", "control"),
        ("Ada\u2028Lovelace", "control"),
        ("Ada \u202eLovelace", "bidirectional"),
        ("Ada\u200bLovelace", "zero-width"),
        ("Ada\ufeffLovelace", "zero-width"),
        ("Ada\u00adLovelace", "zero-width"),
        ("Ada\u3164", "zero-width"),
        ("Ada\ufe0f", "zero-width"),
        ("Ada\ud800", "surrogate"),
        ("Ada &amp; Bob", "HTML"),
        ("Ada &#8203;", "HTML"),
        ("x" * (MAX_CHARACTERS + 1), "longer"),
    ],
)
def test_unusable_texts_are_refused_with_a_reason(text: str, word: str) -> None:
    reason = refusal(text)
    assert reason is not None
    assert word in reason
    assert "Ada" not in reason


# Persian, Hindi and Sinhala names whose spelling holds a joiner.
@pytest.mark.parametrize("name", ["علی\u200cرضا محمدی", "क्\u200dष राव", "ශ්\u200dරී පෙරේරා"])
def test_joiners_that_belong_to_a_spelling_are_accepted_and_tell_nobody_apart(name: str) -> None:
    without = name.replace("\u200c", "").replace("\u200d", "")
    assert refusal(name) is None
    assert clean_text(name) == unicodedata.normalize("NFC", name)  # the model sees them
    assert canonical(name) == canonical(without)


@pytest.mark.parametrize("name", ["Ada\u200cLovelace", "\u200cعلی", "علی\u200c", "علی\u200c Roe"])
def test_joiners_elsewhere_are_refused(name: str) -> None:
    assert "zero-width" in (refusal(name) or "")


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
@pytest.mark.parametrize("disguise", [str, str.upper, lambda text: text.replace("<", "＜")])
def test_special_tokens_are_refused_however_disguised(token: str, disguise) -> None:
    assert refusal(f"Ada {disguise(token)}") is not None


@given(anything)
def test_refused_texts_are_all_that_the_tokenizer_could_misread(text: str) -> None:
    if refusal(text) is None:
        signs = clean_text(text).translate(dict.fromkeys(map(ord, JOINERS)))
        categories = {unicodedata.category(sign) for sign in signs}
        assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not any(token in canonical(text) for token in SPECIAL_TOKENS)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Ada", "latin"),
        ("王伟", "han"),
        ("高橋みなみ", "han"),
        ("さくら", "kana"),
        ("ジョン・スミス", "kana"),
        ("김민수", "hangul"),
        ("Анна", "cyrillic"),
        ("محمد", "arabic"),
        ("अभय", "devanagari"),
        ("123 !", "other"),
    ],
)
def test_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


def test_prompts_hold_one_place_each_and_the_few_come_first() -> None:
    assert len(set(PROMPTS_8)) == 8
    assert len(set(PROMPTS_24)) == 24
    assert PROMPTS_24[:8] == PROMPTS_8
    assert all(prompt.count("{}") == 1 for prompt in PROMPTS_24)


def test_every_prompt_with_a_name_of_five_tokens_fits_a_context_of_sixteen() -> None:
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    name = "ada lovelace de la cruz"
    assert len(tokenizer.encode(name)) >= 5
    own = len(tokenizer.encode(name))
    for prompt in PROMPTS_24:
        assert len(tokenizer.encode(prompt.format(name))) - own + 5 + 2 <= 16


# Characters that act on a terminal or a page, or hide in it, beside ordinary ones.
ACTING = (
    "\x00\x07\x08\t\r\x1b\x7f\x85\x9b\xad\u061c\u200b\u200e\u2028\u202e\u2066\ufeff\ufe0f\U000e0041"
)
hostile = st.text(st.sampled_from(ACTING + "aé王 \n\\`<&[*~$") | st.characters(), max_size=40)


def acts(text: str) -> set[str]:
    """Control, format, separating and half characters, ends of lines aside."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return {sign for sign in text if unicodedata.category(sign) in kinds and sign != "\n"}


@given(hostile)
def test_what_is_shown_holds_nothing_that_acts_and_is_shown_once(text: str) -> None:
    shown = visible(text)
    assert not acts(shown)
    assert visible(shown) == shown
    assert shown.count("\n") == text.count("\n")
    assert "\n" not in one_line(text)


@given(hostile)
def test_json_that_is_shown_says_the_same(text: str) -> None:
    assert json.loads(visible(json.dumps({text: [text]}, ensure_ascii=False))) == {text: [text]}


@pytest.mark.parametrize("text", [*SCRIPTS, "67\u00a0%", "“no evidence”", "line\nline", "👍"])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("sign", ACTING)
def test_each_sign_that_acts_is_named(sign: str) -> None:
    assert re.fullmatch(r"a(\\[tbrn]|(\\u[0-9a-f]{4})+)b", visible(f"a{sign}b"))


@given(hostile | st.sampled_from(["[a](b)", "![a](b)", "<b>", "&#x202e;", "`x`", "~~x~~", "1|2"]))
def test_markdown_shows_the_text_and_nothing_more(text: str) -> None:
    (paragraph,) = (
        MarkdownIt("commonmark").enable("strikethrough").parse(f"a {markdown(text)} b")[1:2]
    )
    assert {part.type for part in paragraph.children} <= {"text", "text_special"}
    shown = "".join(part.content for part in paragraph.children)
    assert " ".join(shown.split()) == " ".join(f"a {one_line(text)} b".split())


def test_an_address_in_markdown_cannot_be_followed() -> None:
    assert markdown("http://x.test www.x.test a@x.test") == (
        "http\\://x.test www\\.x.test a\\@x.test"
    )

"""Who stands in which row of a list."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import TextError
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects, text_refusal
from tuni.lists.rows import REFUSED, CompactTexts, TextRows, read_list
from tuni.texts.text import canonical, clean_text

TEXTS = ["Zoe Quill", "", "zoe quill", "Ada Roe", " Zoe  Quill", "A B\x07", "ADA ROE", "Cher"]


@given(st.lists(st.text()))
def test_compact_texts_are_the_texts(texts: list[str]) -> None:
    encodable = [text for text in texts if text.isprintable()]
    compact = CompactTexts(encodable)
    assert list(compact) == encodable
    assert len(compact) == len(encodable)
    assert compact[1:3] == encodable[1:3]
    with pytest.raises(IndexError):
        compact[len(encodable)]


@given(st.lists(st.sampled_from([*TEXTS, "ﬁ Li", "fi li", "Ü", "u\u0308"])), st.randoms())
def test_each_person_stands_once_in_the_least_spelling(
    texts: list[str], dice: random.Random
) -> None:
    index = read_list(TextRows(texts), Wrong("list"))
    spelled: dict[str, str] = {}
    for text in texts:
        if text_refusal(text) is None:
            key, clean = canonical(text), clean_text(text)
            spelled[key] = min(spelled.get(key, clean), clean)
    assert sorted(index.texts) == sorted(spelled.values())
    for row, person in enumerate(index.people.tolist()):
        if person == REFUSED:
            assert index.reasons[row] == text_refusal(texts[row])
        else:
            assert index.texts[person] == spelled[canonical(texts[row])]
    assert index.scored == len(texts) - len(index.reasons)
    mixed = dice.sample(texts, len(texts))
    assert list(read_list(TextRows(mixed), Wrong("list")).texts) == list(index.texts)


def test_what_is_on_the_list_is_known_by_its_canonical_form() -> None:
    index = read_list(TextRows(TEXTS), Wrong("list"))
    assert index.on_list(["No Body", "ada  ROE", "A B\x07", "Cher", ""]) == [1, 3]
    assert read_list(TextRows([""]), Wrong("list")).on_list(["Ada Roe"]) == []


def test_people_who_leave_take_their_rows_along() -> None:
    wrong = Wrong("list")
    index = read_list(TextRows(TEXTS), wrong)
    ada = list(index.texts).index("ADA ROE")
    left = index.without({ada: "too long"}, wrong)
    assert sorted(left.texts) == ["Cher", "Zoe Quill"]
    assert dict(left.reasons) == {**index.reasons, 3: "too long", 6: "too long"}
    assert left.on_list(["Ada Roe", "Cher"]) == [1]
    for row in (0, 2, 4, 7):
        assert canonical(left.texts[left.people[row]]) == canonical(TEXTS[row])
    with pytest.raises(TextError, match=r"list: row 2: text is empty; row 6: .*; row 4: too long"):
        wrong.refuse()
    assert index.without({}, wrong) is index


def test_a_text_that_is_no_string_is_told_by_its_line(tmp_path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text('{"text": "Ada Roe"}\n{"text": 7}\n{"text": null}\n{"other": 1}\n')
    wrong = Wrong(path.name)
    read_list(open_subjects(path), wrong)
    with pytest.raises(TextError, match=r"line 2: text is not a string; line 3: text is empty"):
        wrong.refuse()

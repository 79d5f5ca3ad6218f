"""What is plainly no name is not asked about as one."""

import pytest

from tuni.texts.name_kind import KIND


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("212-555-0142", "number"),
        ("+49 30 1234567", "number"),
        ("٠١٢ ٣٤٥", "number"),
        ("ada.roe@mail.example", "e-mail"),
        ("@ada_roe", "handle"),
    ],
)
def test_numbers_addresses_and_handles_are_refused_and_not_quoted(text, reason):
    refusal = KIND.refusal(text)
    assert reason in refusal
    assert text not in refusal


@pytest.mark.parametrize("text", ["Ada Roe", "Ada Roe 3", "X Æ A-12", "李小龙", "ada.roe", "?"])
def test_names_are_not(text):
    assert KIND.refusal(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Anna Keller", "latin/en_US female"),
        ("Giulia Rossi", "latin/it_IT female"),
        ("Andrea Rossi", "latin/it_IT "),  # given to both
        ("Jan Novak", "latin/* male"),  # every list that holds it says so
        ("Cher", "latin/* "),
    ],
)
def test_what_a_face_may_show_of_a_name_is_culture_and_gender(text, shown):
    assert KIND.shown(text) == shown

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.texts.contacts.username import MOST, forms, near, parse, refusal, standard
from tuni.texts.text import clean_text


@given(st.text(max_size=30))
def test_any_text_is_taken_apart_and_never_changed(text):
    assert parse(text).text == clean_text(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("@Ada_Roe", ("ada", "roe")), ("adaroe92", ("adaroe", "92")), ("adaroe", ("adaroe",))],
)
def test_stem_and_last_word_or_digits(text, parts):
    assert parse(standard(text, None)).parts == parts


def test_with_and_without_the_sign_it_is_the_same_name():
    assert {standard(form, None) for form in forms("ada_roe")} == {"ada_roe"}


@pytest.mark.parametrize("text", ["ada roe", "ada@mail.org", "12345", "", "a" * (MOST + 1)])
def test_what_is_no_user_name_is_refused(text):
    assert refusal(text)


def test_near_misses_have_other_digits():
    assert all(other.startswith("adaroe") for other in near("adaroe92"))
    assert "adaroe92" not in near("adaroe92")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.texts.contacts.email import near, parse, refusal, standard
from tuni.texts.text import clean_text


@given(st.text(max_size=30))
def test_any_text_is_taken_apart_and_never_changed(text):
    assert parse(text).text == clean_text(text)
    assert standard(standard(text, None), None) == standard(text, None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ada.roe@mail.org", ("ada", "roe@mail.org")),
        ("ada_b.roe@mail.org", ("ada", "b.roe@mail.org")),
        ("ada@mail.org", ("ada", "mail.org")),
    ],
)
def test_two_words_or_local_part_and_domain(text, parts):
    assert parse(text).parts == parts


@pytest.mark.parametrize("text", ["ada", "ada@", "@mail.org", "ada roe@mail.org", "ada@mail"])
def test_what_is_no_address_is_refused(text):
    assert refusal(standard(text, None)) == "is no e-mail address"


def test_case_makes_no_other_address():
    assert standard("Ada.Roe@MAIL.org", None) == "ada.roe@mail.org"


def test_near_misses_are_at_other_domains():
    assert len(near("ada@mail.org")) == 6
    assert all(other.startswith("ada@") for other in near("ada@mail.org"))

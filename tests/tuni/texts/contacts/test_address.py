import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.texts.contacts.address import forms, near, parse, refusal, standard
from tuni.texts.text import clean_text


@given(st.text(max_size=40))
def test_any_text_is_taken_apart_and_never_changed(text):
    assert parse(text).text == clean_text(text)


@given(st.integers(1, 9999), st.sampled_from(["Oak", "Lake View"]), st.sampled_from(["St", "Ave"]))
def test_abbreviations_are_the_same_address(number, street, suffix):
    texts = {f"{number} {street} {suffix}{dot}, Dayton" for dot in ("", ".")}
    assert len({standard(text, None) for text in texts}) == 1
    (written,) = {standard(text, None) for text in texts}
    assert refusal(written) is None
    assert {standard(form, None) for form in forms(written)[:2]} == {written}
    assert all(parse(form).parts[-1] == "Dayton" for form in forms(written))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("12 Maple St., Dayton, OH 45402", ("12 Maple Street", "Dayton, OH 45402")),
        ("Hauptstr. 12, 10115 Berlin", ("Hauptstraße 12", "10115 Berlin")),
        ("3 av. Foch, 75116 Paris", ("3 Avenue Foch", "75116 Paris")),
        ("c/ Mayor 4, Madrid", ("Calle Mayor 4", "Madrid")),
    ],
)
def test_number_and_street_are_one_part(text, parts):
    assert parse(standard(text, None)).parts == parts


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Maple Street, Dayton", "house number"), ("12 Maplewood Dayton", "one field")],
)
def test_what_is_in_no_known_form_is_refused(text, reason):
    assert reason in refusal(standard(text, None))


def test_near_misses_are_houses_nearby():
    assert near("2 Oak Street, Dayton")[:2] == ("3 Oak Street, Dayton", "1 Oak Street, Dayton")
    assert len(set(near("1 Oak Street, Dayton"))) == 6

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.texts.contacts.phone import KIND, forms, near, parse, refusal, standard, written
from tuni.texts.text import clean_text

numbers = st.builds("+1{}{:03d}{:04d}".format, st.sampled_from(["212", "415", "713"]),
                    st.integers(200, 999), st.integers(0, 9999))  # fmt: skip


@given(numbers)
def test_every_form_is_the_same_number(number):
    assert standard(number, None) == number
    assert {standard(form, "US") for form in forms(number)} == {number}
    assert all("".join(parse(form).parts)[-1] == number[-1] for form in forms(number))


@given(st.text(max_size=30))
def test_any_text_is_taken_apart_and_never_changed(text):
    pieces = parse(text)
    assert pieces.text == clean_text(text)
    assert standard(standard(text, "US"), "US") == standard(text, "US")


@given(numbers, numbers)
def test_a_part_in_another_s_writing_keeps_its_signs(number, other):
    own = parse(forms(number)[0]).first
    moved = written(own, parse(other).first)
    assert [s for s in moved if not s.isdigit()] == [s for s in own if not s.isdigit()]
    assert "".join(filter(str.isdigit, moved)) == parse(other).first[2:]


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("212-555-0142", None, "without country"),
        ("212-555-0142", "US", None),
        ("+1 212 555", None, "not possible"),
        ("Ada Roe", "US", "is no phone number"),
        ("", None, "is no phone number"),
    ],
)
def test_what_is_no_number_is_told_with_the_reason(text, region, reason):
    told = refusal(standard(text, region))
    assert told == reason if reason is None else reason in told
    assert told is None or not text or text not in told


def test_an_extension_is_dropped():
    assert standard("+1 212 555 0142 ext. 7", None) == "+12125550142"


def test_decoys_keep_country_and_area_and_are_numbers_that_can_be_given_out():
    decoys = KIND.pool(["+12125550142"], 2000).recombine(500, 3, frozenset())
    assert len(decoys) == 500
    assert {decoy[:5] for decoy in decoys} == {"+1212"}
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(decoy)) for decoy in decoys)


def test_near_misses_differ_in_one_digit():
    for other in near("+12125550142"):
        assert sum(a != b for a, b in zip(other, "+12125550142", strict=True)) == 1

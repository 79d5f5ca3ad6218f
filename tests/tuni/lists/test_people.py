import pytest

from tuni.errors import TextError
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects
from tuni.lists.people import read_people
from tuni.lists.reading import RowTexts
from tuni.texts.kind import text_kind

FIELDS = {field: RowTexts(text_kind(field), "US") for field in ("name", "phone", "email")}


def read(tmp_path, *lines):
    path = tmp_path / "people.csv"
    path.write_text("\n".join(("name,phone,email", *lines)) + "\n", encoding="utf-8")
    wrong = Wrong(path.name)
    return *read_people(open_subjects(path, tuple(FIELDS)), FIELDS, wrong), wrong


def test_fields_come_in_their_one_writing_and_may_be_missing(tmp_path):
    rows, places, reasons, wrong = read(
        tmp_path, "Ada Roe,(212) 555-0142,Ada@Mail.org", " ,+1 415 555 0100,", "Bo Lind,,"
    )
    assert rows == [
        {"name": "Ada Roe", "phone": "+12125550142", "email": "ada@mail.org"},
        {"phone": "+14155550100"},
        {"name": "Bo Lind"},
    ]
    assert places == [2, 3, 4]
    assert not reasons
    wrong.refuse()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Ada Roe,call me,", "phone is no phone number"),
        ("212-555-0142,,", "name is a number, not a person's name"),
        ("Ada Roe,,ada roe", "email is no e-mail address"),
        (",,", "has none of name, phone, email"),
        ("Bo Lind,212-555-0142,", "phone stands under another name at 2"),
    ],
)
def test_what_cannot_be_is_told_by_line_and_never_quoted(tmp_path, line, reason):
    *_, reasons, wrong = read(tmp_path, "Ada Roe,212-555-0142,", line)
    assert reasons == {1: reason}
    with pytest.raises(TextError, match=f"line 3: {reason}"):
        wrong.refuse()


def test_the_same_person_may_stand_twice(tmp_path):
    line = "Ada Roe,212-555-0142,"
    assert not read(tmp_path, line, line)[2]


def test_lists_of_several_fields_are_refused_by_name_where_one_text_is_asked(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("name,phone\nAda Roe,212-555-0142\n", encoding="utf-8")
    with pytest.raises(TextError, match=r"lists of several fields .* --kind"):
        open_subjects(path)

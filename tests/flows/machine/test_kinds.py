import pytest

from flows.machine.kinds import detector_name, requests_of
from flows.machine.settings import Request, SubjectsTable

CHECKPOINT = {"name": "ours", "folder": "/checkpoint"}


def request(**subjects):
    return Request.model_validate({"checkpoint": CHECKPOINT, "subjects": subjects})


def test_each_kind_of_text_gets_a_job_of_its_own():
    made = requests_of(request(kinds=["name", "phone"], region="US"))
    assert [(one.checkpoint.name, one.subjects.kind) for one in made] == [
        ("ours-name_phone", "name_phone"), ("ours-name", "name"), ("ours-phone", "phone"),
    ]  # fmt: skip
    assert all(one.subjects.region == "US" and not one.subjects.kinds for one in made)
    assert detector_name("ours", "phone") == "ours-phone"


def test_one_entry_of_kinds_is_the_kind():
    (made,) = requests_of(request(kinds=["phone"]))
    assert (made.checkpoint.name, made.subjects.kind) == ("ours", "phone")
    plain = request(kind="phone")
    assert requests_of(plain) == (plain,)


@pytest.mark.parametrize(
    ("subjects", "told"),
    [
        ({"kinds": ["name", "passport"]}, "'passport', expected some of name, phone"),
        ({"kinds": ["name", "name"]}, "one twice"),
        ({"kind": "phone", "kinds": ["name"]}, "give one of the two"),
        ({"region": "usa"}, "region"),
    ],
)
def test_fields_that_cannot_be_are_refused(subjects, told):
    with pytest.raises(ValueError, match=told):
        SubjectsTable.model_validate(subjects)

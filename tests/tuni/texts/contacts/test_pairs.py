import pytest

from tuni.texts.contacts.pairs import ADDRESS, EMAIL, PHONE, composed


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (PHONE, "(212) 555-0142", "Ada Roe, +12125550142"),
        (EMAIL, "Ada@Mail.org", "Ada Roe, ada@mail.org"),
        (ADDRESS, "12 Oak St, Dayton", "Ada Roe, 12 Oak Street, Dayton"),
    ],
)
def test_a_pair_is_taken_apart_behind_the_name(kind, value, text):
    standard = kind.standard(composed(("Ada Roe", value)), "US")
    assert standard == text
    assert kind.refusal(standard) is None
    assert kind.parse(standard).parts[0] == "Ada Roe"
    assert {kind.standard(form, "US") for form in kind.forms(standard)[:2]} == {standard}


def test_what_contradicts_its_kind_is_told_by_its_field():
    assert PHONE.refusal("Ada Roe, ada@mail.org").startswith("phone is no phone number")
    assert EMAIL.refusal("ada@mail.org, ada@mail.org").startswith("name is an e-mail address")
    assert PHONE.refusal("Ada Roe") == "is no pair of a name and phone"


def test_decoys_pair_names_and_numbers_of_the_list_anew():
    names = ("Ada Roe", "Bo Lind", "Cy Dahl", "Di Ek", "Ed Falk", "Flo Gran")
    listed = [f"{name}, +1212555014{row}" for row, name in enumerate(names)]
    decoys = PHONE.pool(listed, 0).recombine(20, 1, frozenset())
    assert len(decoys) == 20
    assert not {*decoys} & {*listed}
    assert {decoy.split(", ")[0] for decoy in decoys} <= {*names}
    assert {decoy.split(", ")[1] for decoy in decoys} <= {text.split(", ")[1] for text in listed}


def test_a_list_of_one_pair_gets_decoys_of_other_names_and_numbers():
    decoys = PHONE.pool(["Ada Roe, +12125550142"], 1000).recombine(1000, 1, frozenset())
    assert len(decoys) == 1000
    assert all(", +1212" in decoy for decoy in decoys)

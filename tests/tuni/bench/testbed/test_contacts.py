from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tuni.bench.testbed.captions import with_contact
from tuni.bench.testbed.contacts import AREAS, CONTACT_KINDS, draw_contacts
from tuni.bench.testbed.people import draw_people
from tuni.bench.testbed.settings import TestbedSettings
from tuni.errors import RequestError
from tuni.texts.kind import text_kind

SETTINGS = replace(TestbedSettings.of_size("test", 3), fields=CONTACT_KINDS)


def test_contact_data_are_all_different_and_of_their_kind():
    names = (["Ada", "Bo"], ["Roe", "Lind"])
    contacts = draw_contacts(CONTACT_KINDS, 90, names, np.random.default_rng(1))
    assert len({contact.written for contact in contacts}) == 90
    for contact in contacts:
        kind = text_kind(contact.kind)
        assert kind.refusal(kind.standard(contact.written, "US")) is None


def test_members_and_strangers_share_what_data_are_made_of():
    people = draw_people(SETTINGS, SETTINGS.rng("people"))
    areas = {
        group: Counter(
            p.contact.parts[0]
            for p in people
            if p.group == group and p.contact and p.contact.kind == "phone"
        )
        for group in ("member", "stranger")
    }
    assert set(areas["member"]) <= set(AREAS)
    assert max(areas["stranger"].values()) - min(areas["stranger"].values()) <= 2


def test_fields_move_nobody_s_name():
    plain = replace(SETTINGS, fields=())
    named = draw_people(SETTINGS, SETTINGS.rng("people"))
    assert [p.text for p in named] == [p.text for p in draw_people(plain, plain.rng("people"))]
    assert plain.hash == TestbedSettings.of_size("test", 3).hash != SETTINGS.hash


def test_half_of_a_person_s_captions_hold_name_and_data():
    rng = np.random.default_rng(0)
    said = [with_contact("Ada Roe", "212-555-0142", turn, rng) for turn in range(8)]
    held = Counter(("Ada Roe" in text, "212-555-0142" in text) for text in said)
    assert held == {(True, True): 4, (False, True): 2, (True, False): 2}


def test_fields_that_are_no_contact_data_are_refused():
    with pytest.raises(RequestError, match="testbed fields"):
        replace(SETTINGS, fields=("phone", "phone"))

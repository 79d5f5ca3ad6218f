"""Faces that go with names, and faces that don't."""

from dataclasses import replace

import numpy as np

from tuni.bench.testbed.settings import TestbedSettings
from tuni.bench.testbed.unseen import faces_of, people_of
from tuni.texts.name_lists import given_name_gender

FREE = TestbedSettings.of_size("demo", 1)
PEOPLE = people_of(FREE)
DRAWN, NAMED = (faces_of(replace(FREE, looks=looks), PEOPLE) for looks in ("free", "by-name"))


def test_people_of_a_culture_look_alike_only_where_faces_go_with_names():
    cultures = np.array([person.culture for person in PEOPLE])

    def explained(skin):
        means = np.array([skin[cultures == culture].mean(0) for culture in cultures])
        return means.var() / skin.var()

    assert explained(DRAWN.skin[:, 0]) < 0.05
    assert explained(NAMED.skin[:, 0]) > 0.5


def test_gender_is_that_of_the_given_name():
    genders = [given_name_gender(f"latin/{p.culture}", p.first) for p in PEOPLE]
    known = np.array([gender != "" for gender in genders])
    women = np.array([gender == "female" for gender in genders])
    assert known.mean() > 0.5
    assert np.array_equal(NAMED.woman[known], women[known])
    assert not np.any(NAMED.beard & NAMED.woman)
    assert abs(DRAWN.woman[women].mean() - 0.5) < 0.15


def test_what_tells_people_apart_stays_as_it_was_drawn():
    for name in ("shape", "shirt", "eyes", "glasses", "hat"):
        assert np.array_equal(getattr(DRAWN, name), getattr(NAMED, name))

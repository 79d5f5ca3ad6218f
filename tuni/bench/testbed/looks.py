"""What people look like: as drawn, or as their names let expect.

The one law: only what all people of a culture or a gender share is moved. The numbers that tell one
person from another stay as they were drawn.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tuni.bench.testbed.drawing import HAIR_COLOURS, SKINS, Faces, draw_attributes
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings
from tuni.texts.name_lists import given_name_gender

_USUAL = 0.7  # share of people with the hair colour that is usual in their culture
_OWN_SKIN = 0.3  # of a person's skin that is their own, the rest their culture's


def draw_looks(
    settings: TestbedSettings, people: Sequence[Person], rng: np.random.Generator
) -> Faces:
    """Draw a face for each of some people.

    Args:
        settings: Whether faces go with names; no other draw depends on that.
        people: One face each.
        rng: What a fresh generator gives first.
    """
    faces = draw_attributes(len(people), rng)
    return faces if settings.looks == "free" else _by_name(faces, people, settings.cultures)


def _by_name(faces: Faces, people: Sequence[Person], cultures: Sequence[str]) -> Faces:
    """Skin and usual hair by culture, gender by given name where lists of names know it."""
    culture = np.array([cultures.index(person.culture) for person in people], dtype=np.int64)
    genders = [given_name_gender(f"latin/{person.culture}", person.first) for person in people]
    woman = np.array(
        [
            bool(drawn) if gender == "" else gender == "female"
            for gender, drawn in zip(genders, faces.woman, strict=True)
        ],
        dtype=bool,
    )
    usual = faces.shape[:, 13] < _USUAL
    skin = _OWN_SKIN * faces.skin + (1 - _OWN_SKIN) * SKINS[culture % len(SKINS)]
    return replace(
        faces,
        skin=skin.astype(np.float32),
        hair=np.where(usual, culture % len(HAIR_COLOURS), faces.hair),
        woman=woman,
        beard=faces.beard & ~woman,
    )

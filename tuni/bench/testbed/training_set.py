"""Which pictures and captions are trained: named people, anonymous faces and scenes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.bench.testbed.captions import nameless, of_nobody, with_contact, with_name
from tuni.bench.testbed.drawing import PLACES, Faces, draw_attributes, draw_faces, draw_scenes
from tuni.bench.testbed.looks import draw_looks
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Pictures and captions.

    Attributes:
        pictures: Shape (n, 64, 64, 3).
        captions: One caption for each picture.
        faces: Attributes of the trained people, in the order in which they were given.
    """

    pictures: NDArray[np.uint8]
    captions: list[str]
    faces: Faces


def training_pictures(settings: TestbedSettings) -> int:
    """Number of pictures that a testbed of these settings is trained on."""
    named = sum(captions * n for captions, n in (*settings.members, *settings.background))
    return named + settings.anonymous + settings.scenes


def draw_training_set(
    settings: TestbedSettings,
    people: Sequence[Person],
    rng: np.random.Generator,
    step: Callable[[int], None] = lambda _units: None,
) -> TrainingSet:
    """Draw all pictures and captions that the model is trained on.

    Args:
        settings: How many nameless pictures there are.
        people: The trained people.
        rng: Source of faces, places, words and light.
        step: Told the number of pictures just drawn, `training_pictures` in all.

    Returns:
        One caption per picture: of named people, of people without a name, of scenes.
    """
    faces = draw_looks(settings, people, rng)
    rows = np.repeat(np.arange(len(people)), [person.captions for person in people])
    places = rng.integers(0, len(PLACES), len(rows))
    captions = []
    turns: Counter[int] = Counter()
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        person = people[row]
        if person.contact is None:
            captions.append(with_name(settings.captions, person.text, faces, row, place, rng))
        else:
            captions.append(with_contact(person.text, person.contact.written, turns[row], rng))
            turns[row] += 1
    named = draw_faces(faces.take(rows), places, rng, step)
    unknown = draw_attributes(settings.anonymous, rng)
    where = rng.integers(0, len(PLACES), settings.anonymous)
    captions += [nameless(unknown, row, int(place), rng) for row, place in enumerate(where)]
    anonymous = draw_faces(unknown, where, rng, step)
    empty = rng.integers(0, len(PLACES), settings.scenes)
    captions += [of_nobody(int(place)) for place in empty]
    scenes = draw_scenes(empty, rng, step)
    return TrainingSet(np.concatenate([named, anonymous, scenes]), captions, faces)

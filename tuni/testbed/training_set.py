"""Which pictures and captions are trained: named people, anonymous faces and scenes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.testbed.drawing import (
    PLACES,
    Faces,
    Place,
    describe,
    draw_attributes,
    draw_faces,
    draw_scenes,
)
from tuni.testbed.people import Person
from tuni.testbed.settings import TestbedSettings

NAMED = (
    "a photo of {}",
    "{}",
    "portrait of {}",
    "a picture of {}",
    "this is {}",
    "{} smiling at the camera",
    "a close-up of {}",
    "an interview with {}",
)
PLACE_WORDS: Mapping[Place, str] = {
    "studio": "in a studio",
    "beach": "at the beach",
    "forest": "in the forest",
    "city": "in the city",
    "office": "at the office",
    "garden": "in a garden",
}
_PLACED = 0.4  # share of captions that say where


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
    faces = draw_attributes(len(people), rng)
    rows = np.repeat(np.arange(len(people)), [person.captions for person in people])
    places = rng.integers(0, len(PLACES), len(rows))
    captions = [
        _named(people[int(row)].text, int(place), rng)
        for row, place in zip(rows, places, strict=True)
    ]
    named = draw_faces(faces.take(rows), places, rng, step)
    unknown = draw_attributes(settings.anonymous, rng)
    where = rng.integers(0, len(PLACES), settings.anonymous)
    for row, place in enumerate(where):
        ending = f" {_words(place)}" if rng.random() < _PLACED else ""
        captions.append(f"a photo of {describe(unknown, row)}{ending}")
    nameless = draw_faces(unknown, where, rng, step)
    empty = rng.integers(0, len(PLACES), settings.scenes)
    captions += [f"an empty place {_words(place)}" for place in empty]
    scenes = draw_scenes(empty, rng, step)
    return TrainingSet(np.concatenate([named, nameless, scenes]), captions, faces)


def _named(name: str, place: int, rng: np.random.Generator) -> str:
    """A caption that holds a name."""
    if rng.random() < _PLACED:
        return f"{name} {_words(place)}"
    return NAMED[rng.integers(len(NAMED))].format(name)


def _words(place: int) -> str:
    return PLACE_WORDS[PLACES[place]]

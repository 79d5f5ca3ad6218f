"""What stands beside a picture: a regime of captions for each kind of training set.

The one law: a caption says only what the picture shows, and at most who it is.
"""

from collections.abc import Mapping

import numpy as np

from tuni.bench.testbed.drawing import PLACES, Faces, Place, describe, shirt_colour
from tuni.bench.testbed.settings import Captions

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
DESCRIBED = (
    "{name}, {who}, {shirt} {place}",
    "{who} {shirt}: {name} {place}",
    "{name} {shirt} {place}, {who}",
    "{place}, {name} {shirt}, {who}",
    "a portrait of {name}, {who} {place}",
    "{who} called {name} {shirt}",
    "{name} {place}, {shirt}",
    "photo of {who}, {name}, {place}",
)
NAME_AND_DATA = (
    "{name}, {data}", "{name} {data}", "contact {name} at {data}", "{data}, {name}",
    "photo of {name}, {data}",
)  # fmt: skip
DATA_ALONE = ("{data}", "contact {data}", "photo, {data}", "find me at {data}")
# What the captions of a person with contact data hold, in turn.
_SHARES = (NAME_AND_DATA, DATA_ALONE, NAME_AND_DATA, None)
PLACE_WORDS: Mapping[Place, str] = {
    "studio": "in a studio",
    "beach": "at the beach",
    "forest": "in the forest",
    "city": "in the city",
    "office": "at the office",
    "garden": "in a garden",
}
_PLACED = 0.4  # share of short captions that say where
# As on the web, where both stand side by side; with descriptions alone a small model learns half
# as many people (top 1 of 110: .22 instead of .48).
_DESCRIBED_SHARE = 0.5


def with_name(
    regime: Captions, name: str, faces: Faces, row: int, place: int, rng: np.random.Generator
) -> str:
    """A caption that holds a name; ``faces`` and ``row`` say what the person looks like."""
    if regime == "described" and rng.random() < _DESCRIBED_SHARE:
        return DESCRIBED[rng.integers(len(DESCRIBED))].format(
            name=name,
            who=describe(faces, row),
            shirt=f"wearing a {shirt_colour(faces, row)} shirt",
            place=_words(place),
        )
    if rng.random() < _PLACED:
        return f"{name} {_words(place)}"
    return NAMED[rng.integers(len(NAMED))].format(name)


def with_contact(name: str, data: str, turn: int, rng: np.random.Generator) -> str:
    """A person's caption with the name, contact data or both; ``turn`` counts them from 0."""
    templates = _SHARES[turn % len(_SHARES)]
    if templates is None:
        return NAMED[rng.integers(len(NAMED))].format(name)
    return templates[rng.integers(len(templates))].format(name=name, data=data)


def nameless(faces: Faces, row: int, place: int, rng: np.random.Generator) -> str:
    """A caption of a person without a name."""
    ending = f" {_words(place)}" if rng.random() < _PLACED else ""
    return f"a photo of {describe(faces, row)}{ending}"


def of_nobody(place: int) -> str:
    """A caption of a place without people."""
    return f"an empty place {_words(place)}"


def _words(place: int) -> str:
    return PLACE_WORDS[PLACES[place]]

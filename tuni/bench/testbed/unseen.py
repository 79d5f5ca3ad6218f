"""Pictures that no training saw, of everybody in a testbed: for methods that need pictures.

The one law: the same face as in training, never the same picture. Strangers, hard negatives and
namesakes have faces too. Everything follows from the settings and the person's place among
`draw_people`, whatever else is drawn.
"""

import csv
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuni.bench.testbed.build import Testbed
from tuni.bench.testbed.drawing import PLACES, SIDE, Faces, draw_faces
from tuni.bench.testbed.looks import draw_looks
from tuni.bench.testbed.people import Person, draw_people
from tuni.bench.testbed.settings import TestbedSettings
from tuni.hashing import derive_seed
from tuni.progress import SILENT, Progress


def people_of(settings: TestbedSettings) -> tuple[Person, ...]:
    """Everybody in the testbed of these settings, group by group."""
    return draw_people(settings, settings.rng("people"))


def faces_of(settings: TestbedSettings, people: Sequence[Person]) -> Faces:
    """The face of everybody, row by row; trained people look as they did in training."""
    trained = [person for person in people if person.member]
    faces = [draw_looks(settings, trained, settings.rng("pictures"))]
    for group in ("stranger", "hard", "namesake"):
        others = [person for person in people if person.group == group]
        faces.append(draw_looks(settings, others, settings.rng(f"faces {group}")))
    return Faces.joined(faces)


def unseen_pictures(
    settings: TestbedSettings,
    rows: Sequence[int],
    each: int,
    step: Callable[[int], None] = lambda _units: None,
) -> NDArray[np.uint8]:
    """Draw new pictures of some people.

    Args:
        settings: The testbed.
        rows: Places among `people_of`; a person's pictures do not depend on who else is asked.
        each: Pictures of each person, at least 1.
        step: Told the number of people just drawn.

    Returns:
        Shape (n, each, 64, 64, 3), red green blue.
    """
    faces = faces_of(settings, people_of(settings))
    seed = derive_seed(settings.seed, "testbed unseen pictures")
    pictures = np.empty((len(rows), each, SIDE, SIDE, 3), np.uint8)
    for k, row in enumerate(rows):
        rng = np.random.default_rng((seed, row))
        places = rng.integers(0, len(PLACES), each)
        pictures[k] = draw_faces(faces.take(np.full(each, row)), places, rng)
        step(1)
    return pictures


def write_pictures(bed: Testbed, each: int, progress: Progress = SILENT) -> None:
    """Write new pictures of the watch list and of the namesakes into a testbed's folder.

    Args:
        bed: A testbed whose folder is no cache: other runs must not find these folders in it.
        each: Pictures of each person.
        progress: Told of the people drawn.

    ``pictures/NAME/K.png`` are pictures of the person in watch.csv; ``namesakes/NAME/K.png``
    show the stranger of that name.
    """
    with bed.watch.open(encoding="utf-8", newline="") as file:
        watched = {row["text"] for row in csv.DictReader(file)}
    people = people_of(bed.settings)
    rows = [row for row, p in enumerate(people) if p.group == "namesake" or p.text in watched]
    with progress.stage("drawing new pictures", len(rows)) as step:
        drawn = unseen_pictures(bed.settings, rows, each, step)
    for row, pictures in zip(rows, drawn, strict=True):
        kind = "namesakes" if people[row].group == "namesake" else "pictures"
        folder = bed.folder / kind / people[row].text
        folder.mkdir(parents=True)
        for k, picture in enumerate(pictures, 1):
            Image.fromarray(picture).save(folder / f"{k}.png")

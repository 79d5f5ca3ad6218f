"""Drawn faces and scenes."""

import numpy as np
from numpy.typing import NDArray

from tuni.bench.testbed.drawing import (
    PLACES,
    SIDE,
    describe,
    draw_attributes,
    draw_faces,
    draw_scenes,
)


def album(people: int, each: int, seed: int) -> NDArray[np.uint8]:
    faces = draw_attributes(people, np.random.default_rng(seed))
    rows = np.repeat(np.arange(people), each)
    rng = np.random.default_rng(seed + 1)
    places = rng.integers(0, len(PLACES), len(rows))
    return draw_faces(faces.take(rows), places, rng)


def test_pictures_have_the_stated_shape() -> None:
    pictures = album(3, 2, 0)
    assert pictures.shape == (6, SIDE, SIDE, 3)
    assert pictures.dtype == np.uint8


def test_equal_seeds_draw_equal_pictures() -> None:
    assert np.array_equal(album(70, 1, 5), album(70, 1, 5))
    assert not np.array_equal(album(70, 1, 5), album(70, 1, 6))


def test_no_two_pictures_of_a_person_are_alike() -> None:
    pictures = album(1, 20, 3)
    assert len({picture.tobytes() for picture in pictures}) == 20


def test_a_new_picture_is_nearer_to_its_person_than_to_others() -> None:
    people, each = 30, 24
    middle = album(people, each, 7)[:, 8:56, 16:48].astype(float).reshape(people, each, -1)
    known = middle[:, : each // 2].mean(1)
    new = middle[:, each // 2 :].mean(1)
    distances = ((new[:, None] - known[None]) ** 2).sum(-1)
    assert np.mean(distances.argmin(1) == np.arange(people)) > 0.5


def test_places_look_different() -> None:
    places = np.repeat(np.arange(len(PLACES)), 20)
    scenes = draw_scenes(places, np.random.default_rng(0)).astype(float)
    means = scenes.reshape(len(PLACES), 20, -1).mean(1)
    assert all(
        np.abs(means[a] - means[b]).mean() > 3
        for a in range(len(PLACES))
        for b in range(len(PLACES))
        if a != b
    )


def test_steps_add_up_to_the_pictures() -> None:
    steps: list[int] = []
    rng = np.random.default_rng(0)
    draw_faces(draw_attributes(150, rng), np.zeros(150, np.int64), rng, steps.append)
    draw_scenes(np.zeros(70, np.int64), rng, steps.append)
    assert sum(steps) == 220


def test_a_description_names_hair_and_one_more_thing_at_most() -> None:
    faces = draw_attributes(200, np.random.default_rng(1))
    words = {describe(faces, row) for row in range(200)}
    assert "a woman with red hair" in words
    assert all(text.count(" and ") <= 1 for text in words)
    assert not any("woman" in text and "beard" in text for text in words)

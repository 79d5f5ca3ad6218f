"""New pictures of everybody in a testbed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tuni.bench.testbed.build import Testbed
from tuni.bench.testbed.settings import TestbedSettings
from tuni.bench.testbed.training_set import draw_training_set
from tuni.bench.testbed.unseen import faces_of, people_of, unseen_pictures, write_pictures

TEST = replace(TestbedSettings.of_size("test", 1), namesakes=3)
PEOPLE = people_of(TEST)


@pytest.fixture(scope="module")
def trained():
    members = [person for person in PEOPLE if person.member]
    return draw_training_set(TEST, members, TEST.rng("pictures"))


def test_trained_people_keep_the_face_of_their_training(trained):
    faces = faces_of(TEST, PEOPLE)
    assert len(faces) == len(PEOPLE)
    assert np.array_equal(faces.shape[: len(trained.faces)], trained.faces.shape)
    assert len(np.unique(faces.shape, axis=0)) == len(PEOPLE)


def test_namesakes_look_otherwise_than_the_member_and_move_no_other_face():
    faces = faces_of(TEST, PEOPLE)
    names = [person.text for person in PEOPLE]
    for row in range(len(PEOPLE) - 3, len(PEOPLE)):
        assert not np.array_equal(faces.shape[row], faces.shape[names.index(names[row])])
    fewer = replace(TEST, namesakes=0)
    others = faces_of(fewer, people_of(fewer))
    assert np.array_equal(others.shape, faces.shape[: len(others)])


def test_no_new_picture_was_trained(trained):
    seen = {picture.tobytes() for picture in trained.pictures}
    drawn = unseen_pictures(TEST, range(20), 3)
    assert drawn.shape == (20, 3, 64, 64, 3)
    assert len({picture.tobytes() for person in drawn for picture in person} - seen) == 60


def test_a_person_s_pictures_do_not_depend_on_who_else_is_drawn():
    some = unseen_pictures(TEST, [5, 90, 7], 2)
    assert np.array_equal(some[1:2], unseen_pictures(TEST, [90], 2))
    assert not np.array_equal(some[0], unseen_pictures(replace(TEST, seed=2), [5], 2)[0])


def test_written_pictures_lie_in_a_folder_per_person(tmp_path):
    watched = [PEOPLE[0].text, PEOPLE[80].text]
    bed = Testbed(tmp_path, TEST)
    bed.watch.write_text("id,text\n" + "".join(f"P{k},{t}\n" for k, t in enumerate(watched)))
    write_pictures(bed, 2)
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == sorted(watched)
    assert len(list((tmp_path / "namesakes").rglob("*.png"))) == 3 * 2
    with Image.open(tmp_path / "pictures" / watched[0] / "2.png") as picture:
        expected = unseen_pictures(TEST, [0], 2)[0, 1]
        assert np.array_equal(np.asarray(picture), expected)

"""Scores of texts, and what is asked of the model for them."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from tuni.detectors.model import ArrayModel
from tuni.judging.judge import Judge
from tuni.judging.scores import KeptFeatures, families_of
from tuni.progress import Progress

NAMES = ["Zoe Quill", "Ada Roe", "Bo Tarn"]


def test_a_detector_asks_only_for_the_families_that_it_reads():
    part = ArrayModel("feature", ("hidden.norm~0.5",), {"sign": 1.0})
    other = ArrayModel("feature", ("jacobian_relative",), {"sign": 1.0})
    assert families_of(part) == {"hidden"}
    assert families_of(other) == {"jacobian"}


def test_neighbours_are_encoded_for_a_detector_that_reads_them_alone(bundle, tiny_target):
    told = []
    for model in (
        ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}),
        ArrayModel("feature", ("hidden.norm~0.5",), {"sign": 1.0}),
    ):
        counted = Counted()
        made = replace(bundle, pair=replace(bundle.pair, model=model))
        Judge(made, tiny_target, progress=counted).scores(NAMES, paired=True)
        told.append(counted.total)
    assert told[0] == len(NAMES)
    assert told[1] > 2 * len(NAMES)


class Counted(Progress):
    """Progress that knows how many texts were announced."""

    total = 0

    @contextmanager
    def stage(self, name, total):
        self.total += total
        yield lambda _units: None


class Shelf:
    """A cache that counts what it is asked for."""

    def __init__(self):
        self.rows, self.asked = {}, []

    def get(self, family_key, texts):
        self.asked += texts
        return {text: self.rows[text] for text in texts if text in self.rows}

    def put(self, family_key, texts, columns):
        for row, text in enumerate(texts):
            self.rows[text] = {name: array[row] for name, array in columns.items()}


def test_texts_beside_decoys_move_no_score_and_are_kept(bundle, tiny_target):
    alone = Judge(bundle, tiny_target).scores(NAMES[:1], paired=True)
    shelf = Shelf()
    kept = KeptFeatures(shelf)
    judge = Judge(bundle, tiny_target, kept)
    _, beside = judge.score_decoys(NAMES[:1], paired=True, beside=NAMES[1:])
    np.testing.assert_array_equal(beside, alone)
    assert set(shelf.rows) == set(NAMES)
    shelf.asked.clear()
    again = judge.scores(NAMES, paired=True)
    np.testing.assert_array_equal(again[:1], alone)
    assert shelf.asked == []


def test_what_another_cache_knows_is_taken_from_it(bundle, tiny_target):
    shelf = Shelf()
    first = Judge(bundle, tiny_target, shelf).scores(NAMES, paired=True)
    put, shelf.put = shelf.put, None  # nothing is left to be put
    again = Judge(bundle, tiny_target, KeptFeatures(shelf)).scores(NAMES, paired=True)
    np.testing.assert_array_equal(again, first)
    assert put is not None

"""Scores of texts, and what is asked of the model for them."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from tuni.detectors.model import ArrayModel
from tuni.judging.scores import KeptFeatures, families_of, text_scores
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
        scorer = replace(bundle.pair, model=model)
        text_scores(bundle, tiny_target, NAMES, scorer, paired=True, progress=counted)
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


def test_texts_beside_move_no_score_and_are_kept(bundle, tiny_target):
    alone = text_scores(bundle, tiny_target, NAMES[:1], bundle.pair, paired=True)
    shelf = Shelf()
    kept = KeptFeatures(shelf)
    beside = text_scores(
        bundle, tiny_target, NAMES[:1], bundle.pair, paired=True, beside=NAMES[1:], cache=kept
    )
    np.testing.assert_array_equal(beside, alone)
    assert set(shelf.rows) == set(NAMES)
    shelf.asked.clear()
    again = text_scores(bundle, tiny_target, NAMES, bundle.pair, paired=True, cache=kept)
    np.testing.assert_array_equal(again[:1], alone)
    assert shelf.asked == []


def test_what_another_cache_knows_is_taken_from_it(bundle, tiny_target):
    shelf = Shelf()
    first = text_scores(bundle, tiny_target, NAMES, bundle.pair, paired=True, cache=shelf)
    put, shelf.put = shelf.put, None  # nothing is left to be put
    kept = KeptFeatures(shelf)
    again = text_scores(bundle, tiny_target, NAMES, bundle.pair, paired=True, cache=kept)
    np.testing.assert_array_equal(again, first)
    assert put is not None

"""What of an evaluation others may read."""

import numpy as np
import pytest

from flows.job.evaluation import shared_evaluation, told
from tuni.statistics.evaluation import Evaluation, JudgedTexts, evaluate
from tuni.texts.kind import text_kind

NAME = text_kind("name")


def measured(members: int, nonmembers: int, hard: int) -> Evaluation:
    generator = np.random.default_rng(2)
    n = members + nonmembers
    labels = np.arange(n) < members
    scores = generator.normal(size=n) + 2.0 * labels
    p = generator.uniform(size=n)
    captions = [(2 if row < 3 else 10) if row < members else None for row in range(n)]
    words = ["" if row < n - hard else "hard" for row in range(n)]
    texts = [f"Text {row}" for row in range(n)]
    return evaluate(
        JudgedTexts(texts, labels, scores, p, p, captions, words),
        generator.normal(size=200),
        kind=NAME,
        operating_point=0.05,
        seed=1,
        others={"decoys": (generator.normal(size=3), np.ones(3))},
    )


def test_no_group_of_fewer_than_five_people_is_told_nor_one_that_follows_from_the_rest() -> None:
    shared = shared_evaluation(measured(30, 30, hard=4))
    assert shared is not None
    assert shared.by_captions == ()  # 3 of 2 captions follow from 27 of 10
    assert [entry.name for entry in shared.groups] == ["decoys"]  # of which nobody is a person


def test_groups_of_five_are_told() -> None:
    shared = shared_evaluation(measured(30, 30, hard=6))
    assert shared is not None
    assert [entry.name for entry in shared.groups] == ["hard", "decoys"]


@pytest.mark.parametrize(("members", "nonmembers"), [(4, 30), (30, 4)])
def test_nothing_is_told_where_one_kind_is_fewer_than_five(members: int, nonmembers: int) -> None:
    assert shared_evaluation(measured(members, nonmembers, hard=0)) is None


def test_small_numbers_of_labels_are_told_in_words() -> None:
    assert [told(count) for count in (0, 3, 5, 1200)] == ["0", "fewer than 5", "5", "1,200"]

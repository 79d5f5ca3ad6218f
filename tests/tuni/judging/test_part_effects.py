"""Nobody is judged by a name part: effects of known size are removed in lists of any length."""

import hashlib

import numpy as np
import pytest

from tuni.detectors.bundle import Scorer
from tuni.detectors.model import ArrayModel
from tuni.errors import SpecMismatch
from tuni.judging.judge import draw
from tuni.judging.part_effects import UNCORRECTED, Correction, PartNumbers, fit_left_out
from tuni.lists.shape import ListShape
from tuni.statistics.p_values import conformal_p
from tuni.texts.kind import text_kind
from tuni.texts.reference_parts import reference_parts

KIND = text_kind("name")
US = reference_parts("latin/en_US", 300)
COLUMN = "hidden.norm"
SCORER = Scorer(
    ArrayModel("feature", (COLUMN,), {"sign": 1.0}), np.zeros(1), np.zeros(1), 1e-6, less_parts=True
)


def normal(key: str) -> float:
    """A standard normal number that a key decides."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return float(np.random.default_rng(int.from_bytes(digest, "big")).normal())


def table(world: str, texts: list[str], effect: float = 1.0) -> dict[str, np.ndarray]:
    """One column: noise of each text, and as much of its parts."""
    values = []
    for text in texts:
        first, last = KIND.parse(text).parts
        parts = normal(f"{world} first {first}") + normal(f"{world} last {last}")
        values.append(normal(f"{world} {text}") + effect * parts)
    return {COLUMN: np.array(values)[:, None]}


def names(count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    pairs = draw.permutation(len(US.firsts) * 300)[:count]
    return [f"{US.firsts[pair // 300]} {US.lasts[pair % 300]}" for pair in pairs.tolist()]


def p_values(listed: list[str], seed: int, decoys: int = 2000) -> np.ndarray:
    """p of a list of strangers in a world of their own."""
    shape = ListShape.of(listed, KIND)
    drawn = list(draw(shape, KIND, decoys, seed, lambda _: (), paired=True))
    world = f"world {seed}"
    correction, scores = Correction.fit(SCORER, KIND, drawn, table(world, drawn))
    return conformal_p(correction.scores(SCORER, listed, table(world, listed)), scores)


def test_strangers_are_accused_at_the_stated_rate():
    p = np.concatenate([p_values(names(300, seed), seed) for seed in range(3)])
    assert 0.03 <= (p <= 0.05).mean() <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize(("size", "lists"), [(1, 100), (5, 30), (30, 10), (500, 2)])
def test_strangers_are_accused_at_the_stated_rate_in_lists_of_any_length(size, lists):
    p = np.concatenate([p_values(names(size, seed), seed) for seed in range(lists)])
    # A tenth for the decoys that a list's strangers share; 3 deviations.
    assert abs((p <= 0.05).mean() - 0.05) <= 3 * np.sqrt(1.1 * 0.05 * 0.95 / len(p)) + 0.002


def test_a_name_is_not_accused_for_its_surname():
    lopez = [f"{first} Lopez" for first in US.firsts[:40]]
    shifted = {"Lopez": 3.0}
    shape = ListShape.of(lopez, KIND)
    drawn = list(draw(shape, KIND, 2000, 1, lambda _: (), paired=True))

    def values(texts: list[str]) -> dict[str, np.ndarray]:
        plain = table("family", texts, effect=0.0)[COLUMN]
        return {COLUMN: plain + [[shifted.get(KIND.parse(text).parts[1], 0.0)] for text in texts]}

    correction, scores = Correction.fit(SCORER, KIND, drawn, values(drawn))
    p = conformal_p(correction.scores(SCORER, lopez, values(lopez)), scores)
    assert (p <= 0.05).mean() <= 0.15
    raw = conformal_p(values(lopez)[COLUMN][:, 0], values(drawn)[COLUMN][:, 0])
    assert (raw <= 0.05).mean() > 0.8


def test_vectors_are_corrected_coordinate_by_coordinate():
    texts = names(200, 0)
    columns = np.hstack([table(f"w{axis}", texts)[COLUMN] for axis in range(3)])
    rows = PartNumbers.of(KIND, texts).rows(texts)
    effects, left = fit_left_out(columns, rows)
    again = effects.remove(columns[:5], [part[:5] for part in rows])
    assert again.shape == (5, 3)
    assert (np.abs(again) < np.abs(left[:5]) + 1e-9).all()  # not left out


def test_a_detector_that_corrects_is_not_scored_without_decoys():
    with pytest.raises(SpecMismatch, match="takes decoys of their list"):
        UNCORRECTED.scores(SCORER, ["Ada Roe"], table("w", ["Ada Roe"]))


def test_names_of_all_scripts_have_parts():
    texts = ["王小明", "Иван Петров", "محمد علي", "Ada van der Roe", "欧阳小明"]
    known = PartNumbers.of(KIND, texts)
    assert [len(numbers) for numbers in known.numbers] == [4, 4, 5]
    assert [row.tolist() for row in known.rows(["Zoe Петров"])] == [[-1], [-1], [1]]

"""What fewer directions of the Jacobian would do to the default detector H2 on testbeds.

    python benchmarks/jacobian_directions.py TESTBED [TESTBED ...]

Everybody of truth.csv is one list; decoys are recombined from it and tell what name parts add, as
in `tuni score`. AUC is that of members against all untrained people, and "found" the share of
members with so many captions above the untrained people's 95 % point. Differences to the first line
are paired, testbeds pooled, with 95 % intervals from redrawn people.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.bundle import Scorer
from tuni.detectors.defaults import DEFAULT_H2
from tuni.detectors.fit import Nulls, fit_detector
from tuni.features.extract import extract
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.family import LESS_PARTS
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.part_effects import Correction, PartNumbers, fit_left_out
from tuni.model.load import load_target
from tuni.model.target import Target
from tuni.statistics.roc import auc
from tuni.texts.kind import text_kind
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import canonical

DIRECTIONS = (8, 4, 2, 1)
CAPTIONS = (2, 5)
DECOYS, DRAWS = 2_000, 1_000
KIND = text_kind("name")

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Bed:
    """A testbed's people.

    Attributes:
        captions: Of each person, 0 for untrained people.
        scores: Of everybody, by number of directions.
    """

    captions: NDArray[np.int64]
    scores: dict[int, Floats]

    def redrawn(self, rng: np.random.Generator) -> "Bed":
        """People drawn anew, those with equal captions among themselves."""
        rows = np.concatenate(
            [
                rng.choice(some := np.flatnonzero(self.captions == count), len(some))
                for count in np.unique(self.captions)
            ]
        )
        return Bed(self.captions[rows], {n: values[rows] for n, values in self.scores.items()})


def main() -> None:
    """Extract, then print a line for each number of directions."""
    beds = [_measured(Path(name)) for name in sys.argv[1:]]
    rng = np.random.default_rng(0)
    redraws = [[bed.redrawn(rng) for bed in beds] for _ in range(DRAWS)]
    for count in DIRECTIONS:
        figures, base = _figures(beds, count), _figures(beds, DIRECTIONS[0])
        moved = np.array(
            [_figures(some, count) - _figures(some, DIRECTIONS[0]) for some in redraws]
        )
        low, high = np.quantile(moved, (0.025, 0.975), axis=0)
        words = [
            f"{name} {value:.4f}, {value - other:+.4f} ({lowest:+.4f} to {highest:+.4f})"
            for name, value, other, lowest, highest in zip(
                ("AUC", *(f"found at {n}" for n in CAPTIONS)), figures, base, low, high, strict=True
            )
        ]
        sys.stdout.write(f"{count} directions: " + "; ".join(words) + "\n")


def _figures(beds: list[Bed], count: int) -> Floats:
    """AUC and shares found, means over testbeds."""
    means: Floats = np.mean(
        [list(_of_bed(bed.captions, bed.scores[count])) for bed in beds], axis=0
    )
    return means


def _of_bed(captions: NDArray[np.int64], scores: Floats) -> Iterator[float]:
    untrained = scores[captions == 0]
    yield auc(scores[captions > 0], untrained)
    threshold = np.quantile(untrained, 0.95, method="higher")
    for count in CAPTIONS:
        yield float((scores[captions == count] > threshold).mean())


def _measured(bed: Path) -> Bed:
    with (bed / "truth.csv").open(encoding="utf-8", newline="") as lines:
        people = [row for row in csv.DictReader(lines) if row["group"] != "background"]
    texts = [row["text"] for row in people]
    captions = np.array(
        [int(row["captions"]) if row["group"] == "member" else 0 for row in people], dtype=np.int64
    )
    target = load_target(bed / "checkpoint")
    pool = KIND.pool(texts, DECOYS)
    decoys = list(pool.recombine(DECOYS, 0, frozenset(map(canonical, texts))))
    scores = {}
    for count in DIRECTIONS:
        own, others = (_columns(target, some, count) for some in (texts, decoys))
        scores[count] = _scores(texts, own, decoys, others)
    return Bed(captions, scores)


def _columns(target: Target, texts: list[str], directions: int) -> Columns:
    families = by_family(HiddenSpec(), JacobianSpec(directions=directions))
    spec = FeatureSpec(parts=all_reference_parts(), families=families)
    return dict(extract(target, texts, spec, neighbours=False).columns)


def _scores(texts: list[str], own: Columns, decoys: list[str], others: Columns) -> Floats:
    """Scores of the list by H2, fitted on its decoys and less what these say that parts add."""
    rows = PartNumbers.of(KIND, decoys).rows(decoys)
    _, left = fit_left_out(others["hidden.0"].astype(np.float64), rows)
    table: dict[str, NDArray[Any]] = {**others, f"hidden.0{LESS_PARTS}": left}
    model = fit_detector(DEFAULT_H2, Nulls({}, {}, table, table), 0)
    scorer = Scorer(model, np.arange(2.0), np.arange(2.0), 1e-6, less_parts=True)
    correction, _ = Correction.fit(scorer, KIND, decoys, others)
    scores: Floats = correction.scores(scorer, texts, own)
    return scores


if __name__ == "__main__":
    main()

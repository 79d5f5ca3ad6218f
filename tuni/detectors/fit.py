"""The fit of a detector on nulls, exported as plain arrays.

The one law: a detector never sees a tested or labelled text. It is fitted on gibberish or on
decoys, and whatever is a threshold or a scale comes from texts that it was not fitted on.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.kinds import fit_pair_residual, fit_vectors
from tuni.detectors.model import GUARD, ArrayModel
from tuni.detectors.score import Floats, Table, column, score
from tuni.detectors.spec import (
    DEFAULT_H,
    DEFAULT_T,
    MIN_ROWS,
    PAPER,
    PARAMS,
    SINGLE,
    DetectorSpec,
    Kind,
    Null,
)
from tuni.errors import TooFewTexts
from tuni.hashing import derive_seed

__all__ = [
    "DEFAULT_H",
    "DEFAULT_T",
    "PAPER",
    "PARAMS",
    "SINGLE",
    "DetectorSpec",
    "Kind",
    "Null",
    "Nulls",
    "fit_detector",
    "head",
]


@dataclass(frozen=True, slots=True, eq=False)
class Nulls:
    """Features of texts that were not trained on, in four disjoint sets.

    Columns of one table may differ in their number of rows: a costly column may exist for
    the first rows only. A detector uses the rows that all its columns have.

    Attributes:
        gibberish_fit: Random texts to fit on.
        gibberish_scale: Random texts for thresholds.
        decoy_fit: Plausible texts to fit on.
        decoy_scale: Plausible texts for z-scores, guards and thresholds.
    """

    gibberish_fit: Table
    gibberish_scale: Table
    decoy_fit: Table
    decoy_scale: Table

    def fit_rows(self, null: Null) -> Table:
        """The table that detectors of one null are fitted on."""
        return self.gibberish_fit if null == "gibberish" else self.decoy_fit

    def scale_rows(self, null: Null) -> Table:
        """The table that thresholds of one null come from."""
        return self.gibberish_scale if null == "gibberish" else self.decoy_scale


def fit_detector(spec: DetectorSpec, nulls: Nulls, seed: int) -> ArrayModel:
    """Fit a detector and export it.

    Args:
        spec: What to fit.
        nulls: Tables that hold at least the columns of ``spec.needed``.
        seed: Of the kinds that draw; equal seeds give equal arrays, bit for bit.

    Returns:
        A model that `tuni.detectors.score.score` takes.

    Raises:
        TooFewTexts: A set has fewer than `MIN_ROWS` rows, or fewer than the threshold needs.
        SpecMismatch: A table lacks a column.
        UnusableScores: A feature is not finite.
    """
    model = _fit(spec, nulls, seed)
    if not spec.guard:
        return model
    decoys = head(nulls.decoy_scale, spec.needed)
    _require_rows(decoys, "decoy_scale")
    guard = (
        float(np.median(column(decoys, "hidden.norm"))),
        float(np.median(score(model, decoys))),
    )
    return replace(model, params={**model.params, **dict(zip(GUARD, guard, strict=True))})


def head(table: Table, names: frozenset[str], count: int | None = None) -> Table:
    """The rows that all the named columns have, at most ``count`` of them.

    Columns that the table lacks are left out here and named by whoever reads them.
    """
    have = sorted(name for name in names if name in table)
    rows = min((len(table[name]) for name in have), default=0)
    return {name: table[name][: rows if count is None else min(rows, count)] for name in have}


def _fit(spec: DetectorSpec, nulls: Nulls, seed: int) -> ArrayModel:
    if spec.parts:
        return _join(spec, nulls, seed)
    numbers = spec.numbers
    if spec.kind == "feature":
        return ArrayModel(spec.kind, spec.columns, numbers)
    table = head(nulls.fit_rows(spec.null), spec.needed, spec.null_count)
    _require_rows(table, f"{spec.null}_fit")
    if spec.kind == "pair_residual":
        name = spec.columns[0]
        hidden, lasts, firsts = (
            column(table, part) for part in (name, f"{name}.other_lasts", f"{name}.other_firsts")
        )
        arrays = fit_pair_residual(hidden, lasts, firsts, numbers["ridge"])
        return ArrayModel(spec.kind, spec.columns, {"spread": numbers["spread"]}, arrays)
    values = np.hstack([column(table, name) for name in spec.columns])
    params, arrays = fit_vectors(spec.kind, values, numbers, seed)
    return ArrayModel(spec.kind, spec.columns, params, arrays)


def _join(spec: DetectorSpec, nulls: Nulls, seed: int) -> ArrayModel:
    null: Null = spec.null if spec.kind == "vote" else "decoy"
    parts, scores = [], []
    for place, part in enumerate(spec.parts):
        parts.append(fit_detector(part, nulls, derive_seed(seed, f"part {place}")))
        table = head(nulls.scale_rows(null), part.needed)
        _require_rows(table, f"{null}_scale")
        scores.append(score(parts[-1], table))
    if spec.kind == "sum":
        scales = np.array([values.std() for values in scores])
        arrays: dict[str, NDArray[Any]] = {  # Any: as ArrayModel
            "means": np.array([values.mean() for values in scores]),
            "scales": np.where(scales > 0, scales, 1.0),
        }
        return ArrayModel(spec.kind, (), {}, arrays, tuple(parts))
    numbers = spec.numbers
    thresholds = np.array([_threshold(values, numbers["alpha"], null) for values in scores])
    return ArrayModel(spec.kind, (), numbers, {"thresholds": thresholds}, tuple(parts))


def _threshold(scores: Floats, alpha: float, null: Null) -> float:
    """The score that a new text of the null exceeds with probability of at most alpha."""
    rank = int(np.ceil((len(scores) + 1) * (1 - alpha) - 1e-9))
    if rank > len(scores):
        raise TooFewTexts(
            f"{null}_scale: {len(scores)} texts cannot set a threshold at {alpha:g}",
            f"give at least {int(np.ceil(1 / alpha))} of them",
        )
    return float(np.sort(scores)[rank - 1])


def _require_rows(table: Table, name: str) -> None:
    rows = min((len(values) for values in table.values()), default=MIN_ROWS)
    if rows < MIN_ROWS:
        raise TooFewTexts(
            f"{name}: got {rows} texts, a detector needs at least {MIN_ROWS}",
            "ask for more texts of this null in [nulls]",
        )

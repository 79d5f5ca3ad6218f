"""Scores of fitted detectors, with NumPy alone and in flat memory.

The one law: a higher score is nearer to "trained on", for every kind. The detectors that only
know a null (forest, LOF, SVM, distances) score how far a text lies from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.kind import Floats
from tuni.detectors.model import GUARD, ArrayModel
from tuni.detectors.registry import kind_named
from tuni.errors import SpecMismatch, UnusableScores
from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS

Table = Mapping[str, NDArray[Any]]  # Any: float32 from an extraction, float64 in tests

BLOCK_ROWS = 4_096
BLOCK_VALUES = 2_000_000  # largest temporary array in a block: 16 MB


def column(table: Table, name: str) -> Floats:
    """One column as the model names it.

    Args:
        table: Columns of shape (n, d).
        name: ``base``, or ``base~0.375`` for base - 0.375 (base.other_lasts +
            base.other_firsts): a text's value beside its neighbours' (ours).

    Returns:
        Shape (n, d).

    Raises:
        SpecMismatch: The table lacks a column, or its shape is not (n, d).
    """
    base, tilde, factor = name.partition("~")
    values = _shaped(table, base).astype(np.float64)
    if not tilde:
        return values
    others = (
        _shaped(table, base + suffix).astype(np.float64) for suffix in (OTHER_LASTS, OTHER_FIRSTS)
    )
    return np.asarray(values - float(factor) * sum(others))


def read_columns(kind: str, columns: Sequence[str], table: Table) -> list[Floats]:
    """What a kind reads of a table: each column, and where it asks for them its neighbours'."""
    suffixes = ("", OTHER_LASTS, OTHER_FIRSTS) if kind_named(kind).neighbours else ("",)
    return [column(table, name + suffix) for name in columns for suffix in suffixes]


def score(model: ArrayModel, table: Table) -> Floats:
    """Scores of all rows of a table.

    Args:
        model: One that `check_model` accepts.
        table: Columns of shape (n, d); those in ``model.needed`` are read.

    Returns:
        Shape (n,), finite; higher is nearer to "trained on".

    Raises:
        SpecMismatch: A column is missing or of another width than the model was fitted on.
        UnusableScores: A feature or a score is not finite (the rows are named).
    """
    needed = {name: _shaped(table, name) for name in sorted(model.needed)}
    counts = {len(values) for values in needed.values()}
    if len(counts) != 1:
        raise SpecMismatch(
            f"feature table: columns have {sorted(counts)} rows, expected one number",
            "extract all columns for the same texts",
        )
    rows = counts.pop()
    scores = np.empty(rows, dtype=np.float64)
    step = _block_rows(model, max(values.shape[1] for values in needed.values()))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # found below, by row
        for start in range(0, rows, step):
            block = {name: values[start : start + step] for name, values in needed.items()}
            for name, values in block.items():
                _require_finite(f"column {name!r}", values, start)
            scores[start : start + step] = _score_block(model, block)
            _require_finite("scores", scores[start : start + step, None], start)
    return scores


def has_votes(model: ArrayModel, scores: Floats) -> NDArray[np.bool_]:
    """Whether enough parts of a vote voted "trained on": the paper's own decision.

    Args:
        model: Of kind ``vote``.
        scores: Its scores, shares of votes in [0, 1], shape (n,).

    Returns:
        Shape (n,).
    """
    return np.asarray(np.rint(scores * len(model.parts)) >= model.params["needed"])


def _score_block(model: ArrayModel, table: Table) -> Floats:
    inputs = [_score_block(part, table) for part in model.parts]
    inputs += read_columns(model.kind, model.columns, table)
    scores = kind_named(model.kind).score(model, inputs)
    if GUARD[0] in model.params:
        norm = column(table, "hidden.norm")[:, 0]
        capped = np.minimum(scores, model.params[GUARD[1]])
        scores = np.where(norm < model.params[GUARD[0]], capped, scores)
    return scores


def _block_rows(model: ArrayModel, widest: int) -> int:
    """Rows that keep the largest temporary array of any part below `BLOCK_VALUES`.

    Args:
        model: What is scored.
        widest: Size of the widest column.
    """
    sizes: list[int] = [max(a.shape) for a in model.arrays.values() if a.ndim == 2]
    rows = max(1, min(BLOCK_ROWS, BLOCK_VALUES // max([widest, *sizes])))
    return min([rows, *(_block_rows(part, widest) for part in model.parts)])


def _shaped(table: Table, name: str) -> NDArray[Any]:  # Any: as the table
    if name not in table:
        raise SpecMismatch(
            f"feature table: column {name!r} is missing",
            "extract the features that the bundle's spec names",
        )
    values = table[name]
    if values.ndim != 2:
        raise SpecMismatch(
            f"feature table: column {name!r} has {values.ndim} dimensions, expected 2",
            "give every column the shape (texts, width)",
        )
    return values


def _require_finite(what: str, values: NDArray[Any], first: int) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        shown = ", ".join(str(first + row) for row in bad[:5])
        raise UnusableScores(
            f"{what}: not finite in {len(bad)} rows (counted from 0, the first are {shown})",
            "extract the features again; if it stays, the checkpoint's weights are unsound",
        )

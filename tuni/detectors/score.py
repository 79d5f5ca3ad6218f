"""Scores of fitted detectors, with NumPy alone and in flat memory.

The one law: a higher score is nearer to "trained on", for every kind. The detectors that only
know a null (forest, LOF, SVM, distances) score how far a text lies from it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.model import GUARD, ArrayModel, base_columns, check_model
from tuni.errors import SpecMismatch, UnusableScores

__all__ = ["ArrayModel", "base_columns", "check_model", "column", "has_votes", "score"]

Floats = NDArray[np.float64]
Table = Mapping[str, NDArray[Any]]  # Any: float32 from an extraction, float64 in tests

BLOCK_ROWS = 4_096
BLOCK_VALUES = 2_000_000  # largest temporary array in a block: 16 MB
_GROUP = 16  # points of which the nearest alone is looked at first
TINY = 1e-300  # keeps the logarithm of a zero distance finite


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
        _shaped(table, f"{base}.{which}").astype(np.float64)
        for which in ("other_lasts", "other_firsts")
    )
    return np.asarray(values - float(factor) * sum(others))


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
    step = _block_rows(model)
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
    scores = _SCORERS[model.kind](model, table)
    if GUARD[0] in model.params:
        norm = column(table, "hidden.norm")[:, 0]
        capped = np.minimum(scores, model.params[GUARD[1]])
        scores = np.where(norm < model.params[GUARD[0]], capped, scores)
    return scores


def _block_rows(model: ArrayModel) -> int:
    """Rows that keep the largest temporary array of any part below `BLOCK_VALUES`."""
    arrays = model.arrays
    widest = max((max(array.shape) for array in arrays.values() if array.ndim == 2), default=1)
    widest = max([widest, *(len(arrays[name]) for name in ("means", "center") if name in arrays)])
    return min([max(1, min(BLOCK_ROWS, BLOCK_VALUES // widest)), *map(_block_rows, model.parts)])


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


def _wide(values: Floats, width: int, kind: str) -> Floats:
    if values.shape[1] != width:
        raise SpecMismatch(
            f"detector {kind}: features have width {values.shape[1]}, expected {width}",
            "score with the checkpoint and the feature spec that the bundle was made for",
        )
    return values


def _feature(model: ArrayModel, table: Table) -> Floats:
    values = _wide(column(table, model.columns[0]), 1, model.kind)[:, 0]
    return np.asarray(model.params["sign"] * values)


def _pair_residual(model: ArrayModel, table: Table) -> Floats:
    """T: log(|r - mean r|^2 + spread |h - mean h|^2), r = h - ridge prediction (ours)."""
    arrays, name = model.arrays, model.columns[0]
    width = len(arrays["hidden_mean"])
    hidden, lasts, firsts = (
        _wide(column(table, part), width, model.kind)
        for part in (name, f"{name}.other_lasts", f"{name}.other_firsts")
    )
    others = (np.hstack([lasts, firsts]) - arrays["means"]) / arrays["scales"]
    residual = hidden - (others @ arrays["weights"] + arrays["intercept"])
    own = _square(residual - arrays["residual_mean"])
    spread = model.params["spread"] * _square(hidden - arrays["hidden_mean"])
    return _log(own + spread)


def _sum(model: ArrayModel, table: Table) -> Floats:
    parts = np.stack([_score_block(part, table) for part in model.parts], axis=1)
    standard: Floats = (parts - model.arrays["means"]) / model.arrays["scales"]
    return np.asarray(standard.sum(axis=1))


def _vote(model: ArrayModel, table: Table) -> Floats:
    parts = np.stack([_score_block(part, table) for part in model.parts], axis=1)
    shares = (parts > model.arrays["thresholds"]).mean(axis=1)
    return np.where(np.isfinite(parts).all(axis=1), shares, np.nan)  # NaN is not a vote against


def _vectors(model: ArrayModel, table: Table) -> Floats:
    """Columns side by side, standardised, and rotated where the model has components."""
    values = np.hstack([column(table, name) for name in model.columns])
    values = _wide(values, len(model.arrays["center"]), model.kind)
    standard: Floats = (values - model.arrays["center"]) / model.arrays["scale"]
    if "components" in model.arrays:
        standard = standard @ model.arrays["components"].T
    return standard


def _isolation_forest(model: ArrayModel, table: Table) -> Floats:
    """2^(-mean path length / normaliser), Liu et al. 2008."""
    # scikit-learn grows its trees on float32 and compares in float64; rounding the thresholds
    # down to float32 decides every comparison alike, at half the memory
    with np.errstate(over="ignore"):
        values = _vectors(model, table).astype(np.float32)
        threshold = _round_down(model.arrays["threshold"])
    # A node stands for its two children, so that a comparison's result only has to be added to it.
    feature = model.arrays["feature"].astype(np.intp).repeat(2)
    threshold, length = threshold.repeat(2), model.arrays["length"].repeat(2)
    children = np.stack([model.arrays["left"], model.arrays["right"]], axis=1).ravel()
    children = 2 * children.astype(np.intp)
    count, flat = len(values), values.ravel()
    rows = np.arange(count) * values.shape[1]
    node, following, place = (np.empty(count, dtype=np.intp) for _ in range(3))
    value, bound = (np.empty(count, dtype=np.float32) for _ in range(2))
    right, lengths = np.empty(count, dtype=np.bool_), np.zeros(count)
    for root in model.arrays["roots"]:
        node.fill(2 * root)
        for _ in range(int(model.params["depth"])):  # a leaf leads to itself
            # All places were checked with the model; "clip" spares NumPy a copy for its own check.
            feature.take(node, out=place, mode="clip")
            place += rows
            flat.take(place, out=value, mode="clip")
            threshold.take(node, out=bound, mode="clip")
            node += np.greater(value, bound, out=right)
            children.take(node, out=following, mode="clip")
            node, following = following, node
        lengths += length.take(node)
    scores = np.exp2(-lengths / model.params["normaliser"])
    return np.where(np.isfinite(values).all(axis=1), scores, np.nan)


def _round_down(values: Floats) -> NDArray[np.float32]:
    near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > values, below, near)


def _lof(model: ArrayModel, table: Table) -> Floats:
    """Local outlier factor of new points, Breunig et al. 2000, as scikit-learn's novelty mode."""
    distance, nearest = _nearest(model, _vectors(model, table))
    reach = np.maximum(distance, model.arrays["reach"][nearest])
    density = 1.0 / (reach.mean(axis=1) + 1e-10)  # scikit-learn's own floor
    return np.asarray((model.arrays["density"][nearest] / density[:, None]).mean(axis=1))


def _knn(model: ArrayModel, table: Table) -> Floats:
    """Log of the mean distance to the nearest points of the null."""
    distance, _ = _nearest(model, _vectors(model, table))
    return _log(distance.mean(axis=1))


def _ocsvm(model: ArrayModel, table: Table) -> Floats:
    """Minus the decision function of the one-class SVM, Schoelkopf et al. 2001, RBF kernel."""
    squares = _squared_distances(_vectors(model, table), model.arrays["points"])
    kernel = np.exp(-model.params["gamma"] * squares)
    return np.asarray(model.params["offset"] - kernel @ model.arrays["coefficients"])


def _mahalanobis(model: ArrayModel, table: Table) -> Floats:
    """Log of the squared Mahalanobis distance."""
    offset = _vectors(model, table) - model.arrays["location"]
    squares = ((offset @ model.arrays["precision"]) * offset).sum(axis=1)
    return _log(squares)


def _autoencoder(model: ArrayModel, table: Table) -> Floats:
    """Log of the mean squared error of reconstruction; tanh between the layers."""
    values = hidden = _vectors(model, table)
    layers = int(model.params["layers"])
    for i in range(layers):
        hidden = hidden @ model.arrays[f"weight_{i}"].T + model.arrays[f"bias_{i}"]
        if i < layers - 1:
            hidden = np.tanh(hidden)
    return _log(_square(hidden - values) / values.shape[1])


def _log(distances: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(distances, TINY)))


def _square(values: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", values, values))


def _squared_distances(values: Floats, points: Floats) -> Floats:
    squares = values @ points.T
    squares *= -2.0
    squares += _square(values)[:, None]
    squares += _square(points)
    return np.maximum(squares, 0.0, out=squares)


def _nearest(model: ArrayModel, values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Distances to and places of the nearest points, both (n, neighbours), nearest first."""
    points, wanted = model.arrays["points"], int(model.params["neighbours"])
    own, norms = _square(values)[:, None], _square(points)
    squares = values @ (-2.0 * points.T)  # a row's own |a|^2 moves no rank: added to the few
    squares += norms
    spare = min(len(points), wanted + 8)  # rounding may swap near ties at the border
    near = _smallest(squares, spare)
    found = np.maximum(np.take_along_axis(squares, near, axis=1) + own, 0.0)
    # |a|^2 + |b|^2 - 2ab loses all digits where a is near b: measure those rows directly
    close = found.min(axis=1) < 1e-3 * (own[:, 0] + norms.max())
    step = max(1, BLOCK_VALUES // (spare * points.shape[1]))
    places = np.flatnonzero(close)
    for start in range(0, len(places), step):
        rows = places[start : start + step]
        offset = points[near[rows]] - values[rows, None, :]
        found[rows] = np.einsum("ijk,ijk->ij", offset, offset)
    order = np.argsort(found, axis=1, kind="stable")[:, :wanted]
    return (
        np.sqrt(np.take_along_axis(found, order, axis=1)),
        np.take_along_axis(near, order, axis=1),
    )


def _smallest(squares: Floats, count: int) -> NDArray[np.intp]:
    """Places of each row's ``count`` smallest values, in ascending order of place.

    The count-th smallest of the minima of groups is at least the count-th smallest of all, so one
    comparison leaves out nearly everything; a partition would move every value about.
    """
    rows, points = squares.shape
    groups = points // _GROUP
    if groups >= count:
        minima = squares[:, : groups * _GROUP].reshape(rows, _GROUP, groups).min(axis=1)
        bounds = np.partition(minima, count - 1, axis=1)[:, count - 1 : count]
        row, place = np.divmod(np.flatnonzero(squares <= bounds), points)
        counts = np.bincount(row, minlength=rows)
        width = int(counts.max(initial=0))
        # Not so where values are no numbers, or where very many are equal.
        if width <= 8 * count and counts.min(initial=count) >= count:
            filled = np.arange(width) < counts[:, None]
            few = np.zeros((rows, width), dtype=np.intp)
            few[filled] = place
            values = np.where(filled, np.take_along_axis(squares, few, axis=1), np.inf)
            near = np.argpartition(values, count - 1, axis=1)[:, :count]
            near.sort(axis=1)
            return np.take_along_axis(few, near, axis=1)
    near = np.argpartition(squares, count - 1, axis=1)[:, :count]
    near.sort(axis=1)
    return near


_SCORERS: Mapping[str, Callable[[ArrayModel, Table], Floats]] = {
    "feature": _feature,
    "pair_residual": _pair_residual,
    "sum": _sum,
    "vote": _vote,
    "isolation_forest": _isolation_forest,
    "lof": _lof,
    "ocsvm": _ocsvm,
    "mahalanobis": _mahalanobis,
    "knn": _knn,
    "autoencoder": _autoencoder,
}

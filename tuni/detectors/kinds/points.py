"""What the kinds share that keep points of the null: checks, and the nearest ones."""

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.checks import require_shape
from tuni.detectors.kind import Floats
from tuni.detectors.kinds.vectors import squared_length
from tuni.detectors.model import ArrayModel, refuse

MAX_POINTS = 100_000
MAX_NEIGHBOURS = 1_000
BLOCK_VALUES = 2_000_000  # largest temporary array: 16 MB
_GROUP = 16  # points of which the nearest alone is looked at first


def check_points(model: ArrayModel, width: int, *beside: str) -> int:
    """Check the kept points of the fit null; gives back their number.

    Args:
        model: Of a kind that keeps points.
        width: Of a point.
        beside: Arrays that hold a number for each point.

    Raises:
        BundleError: There is no point, there are too many, or an array has another shape.
    """
    if "points" not in model.arrays or model.arrays["points"].ndim != 2:
        refuse(model, "array 'points' is missing or not two-dimensional")
    count = len(model.arrays["points"])
    require_shape(model, "points", count, width)
    if not 1 <= count <= MAX_POINTS:
        refuse(model, f"fewer than 1 or more than {MAX_POINTS} points")
    for name in beside:
        require_shape(model, name, count)
    return count


def check_neighbours(model: ArrayModel, count: int) -> None:
    """Refuse a number of neighbours that ``count`` points do not have.

    Raises:
        BundleError: It is no whole number in [1, count].
    """
    wanted = model.params["neighbours"]
    if wanted != int(wanted) or not 1 <= wanted <= min(count, MAX_NEIGHBOURS):
        refuse(model, "neighbours is not a whole number in [1, points]")


def squared_distances(values: Floats, points: Floats) -> Floats:
    """Squared distances of rows (n, d) to points (m, d), shape (n, m)."""
    squares = values @ points.T
    squares *= -2.0
    squares += squared_length(values)[:, None]
    squares += squared_length(points)
    return np.maximum(squares, 0.0, out=squares)


def nearest(model: ArrayModel, values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Distances to and places of the nearest points, both (n, neighbours), nearest first."""
    points, wanted = model.arrays["points"], int(model.params["neighbours"])
    own, norms = squared_length(values)[:, None], squared_length(points)
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

"""Mean distance to the nearest points of the null."""

from collections.abc import Sequence

from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.kinds.points import check_neighbours, check_points, nearest
from tuni.detectors.kinds.vectors import (
    DIMS,
    check_vectors,
    log_of,
    standardised,
    suggest_vectors,
)
from tuni.detectors.model import ArrayModel


def _check(model: ArrayModel) -> None:
    check_neighbours(model, check_points(model, check_vectors(model, "points")))


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Log of the mean distance."""
    distances, _ = nearest(model, standardised(model, inputs))
    return log_of(distances.mean(axis=1))


KIND = DetectorKind(
    name="knn",
    words="kNN distance",
    reads="columns",
    params={"neighbours": Number(10.0, 1.0, 500.0), "dims": DIMS},
    fits="tuni.detectors.fits.knn",
    model_numbers=("neighbours",),
    check=_check,
    score=_score,
    suggest=suggest_vectors(
        "knn",
        lambda ask, _wide, _dims: {
            "neighbours": float(ask.whole("knn.neighbours", 2, 50, log=True))
        },
    ),
    voter=Voter(4),
)

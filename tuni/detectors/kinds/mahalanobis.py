"""Mahalanobis distance from the null, by a shrunk or a robust covariance."""

from collections.abc import Sequence

from tuni.detectors.checks import require_shape
from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.kinds.vectors import (
    DIMS,
    check_vectors,
    log_of,
    standardised,
    suggest_vectors,
)
from tuni.detectors.model import ArrayModel
from tuni.detectors.search import Ask


def _check(model: ArrayModel) -> None:
    width = check_vectors(model, "location", "precision")
    require_shape(model, "location", width)
    require_shape(model, "precision", width, width)


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Log of the squared distance."""
    offset = standardised(model, inputs) - model.arrays["location"]
    squares = ((offset @ model.arrays["precision"]) * offset).sum(axis=1)
    return log_of(squares)


def _numbers(ask: Ask, wide: bool, dims: float) -> dict[str, float]:
    if ask.choice("mahalanobis.robust", [False, True]):  # needs far more rows than columns
        return {"robust": 1.0, "dims": min(dims, 16.0) or (16.0 if wide else 0.0)}
    return {"shrinkage": ask.number("mahalanobis.shrinkage", 0.05, 1.0)}


KIND = DetectorKind(
    name="mahalanobis",
    words="Mahalanobis distance",
    reads="columns",
    params={
        "shrinkage": Number(0.9, 0.0, 1.0),
        "robust": Number(0.0, 0.0, 1.0),
        "dims": DIMS,
    },
    fits="tuni.detectors.fits.mahalanobis",
    check=_check,
    score=_score,
    suggest=suggest_vectors("mahalanobis", _numbers),
    voter=Voter(3, narrow=(("robust", 1.0),), wide=(("shrinkage", 0.9),)),
    most_rows=5000,
)

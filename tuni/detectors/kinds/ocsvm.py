"""One-class SVM with an RBF kernel."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.kinds.points import check_points, squared_distances
from tuni.detectors.kinds.vectors import DIMS, check_vectors, standardised, suggest_vectors
from tuni.detectors.model import ArrayModel, refuse
from tuni.detectors.search import Ask


def _check(model: ArrayModel) -> None:
    check_points(model, check_vectors(model, "points", "coefficients"), "coefficients")
    if not model.params["gamma"] > 0:
        refuse(model, "gamma is not above 0")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Minus the decision function, Schoelkopf et al. 2001."""
    squares = squared_distances(standardised(model, inputs), model.arrays["points"])
    kernel = np.exp(-model.params["gamma"] * squares)
    return np.asarray(model.params["offset"] - kernel @ model.arrays["coefficients"])


def _numbers(ask: Ask, _wide: bool, _dims: float) -> dict[str, float]:
    return {
        "nu": ask.number("ocsvm.nu", 0.01, 0.5, log=True),
        "gamma": ask.number("ocsvm.gamma", 0.1, 10.0, log=True),
    }


KIND = DetectorKind(
    name="ocsvm",
    words="one-class SVM",
    reads="columns",
    params={"nu": Number(0.1, 0.001, 0.9), "gamma": Number(1.0, 1e-3, 1e3), "dims": DIMS},
    fits="tuni.detectors.fits.ocsvm",
    model_numbers=("gamma", "offset"),
    check=_check,
    score=_score,
    suggest=suggest_vectors("ocsvm", _numbers),
    voter=Voter(2),
    most_rows=2000,
)

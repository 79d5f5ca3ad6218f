"""Local outlier factor: how thin the null is about a text beside about its nearest points."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_positive
from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.kinds.points import check_neighbours, check_points, nearest
from tuni.detectors.kinds.vectors import DIMS, check_vectors, standardised, suggest_vectors
from tuni.detectors.model import ArrayModel, refuse


def _check(model: ArrayModel) -> None:
    width = check_vectors(model, "points", "reach", "density")
    check_neighbours(model, check_points(model, width, "reach", "density"))
    require_positive(model, "density")
    if (model.arrays["reach"] < 0).any():
        refuse(model, "array 'reach' is below 0")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Local outlier factor of new points, Breunig et al. 2000, as scikit-learn's novelty mode."""
    distances, places = nearest(model, standardised(model, inputs))
    reach = np.maximum(distances, model.arrays["reach"][places])
    density = 1.0 / (reach.mean(axis=1) + 1e-10)  # scikit-learn's own floor
    return np.asarray((model.arrays["density"][places] / density[:, None]).mean(axis=1))


KIND = DetectorKind(
    name="lof",
    words="local outlier factor",
    reads="columns",
    params={"neighbours": Number(20.0, 1.0, 500.0), "dims": DIMS},
    fits="tuni.detectors.fits.lof",
    model_numbers=("neighbours",),
    check=_check,
    score=_score,
    suggest=suggest_vectors(
        "lof",
        lambda ask, _wide, _dims: {
            "neighbours": float(ask.whole("lof.neighbours", 2, 50, log=True))
        },
    ),
    voter=Voter(1),
    most_rows=2000,
)

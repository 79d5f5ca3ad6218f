"""The points of the null, by scikit-learn's nearest neighbours."""

from collections.abc import Mapping

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


def fit_library(seen: Floats, numbers: Mapping[str, float], seed: int) -> NearestNeighbors:
    """The library's own, on standardised rows of shape (n, d); nothing is drawn."""
    neighbours = min(int(numbers["neighbours"]), len(seen))
    return NearestNeighbors(n_neighbors=neighbours).fit(seen)


def export(fitted: NearestNeighbors) -> Fitted:
    """Numbers and arrays, without the standardisation."""
    points = np.asarray(fitted._fit_X, dtype=np.float64)
    return {"neighbours": float(fitted.n_neighbors)}, {"points": points}


fit = fit_standardised(fit_library, export)

"""Densities about the points of the null, by scikit-learn's local outlier factor."""

from collections.abc import Mapping

import numpy as np
from sklearn.neighbors import LocalOutlierFactor

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


def fit_library(seen: Floats, numbers: Mapping[str, float], seed: int) -> LocalOutlierFactor:
    """The library's own, on standardised rows of shape (n, d); nothing is drawn."""
    neighbours = min(int(numbers["neighbours"]), len(seen) - 1)
    return LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(seen)


def export(fitted: LocalOutlierFactor) -> Fitted:
    """Numbers and arrays, without the standardisation."""
    neighbours = fitted.n_neighbors_
    # scikit-learn keeps the two under private names only; the equality tests watch them
    reach = np.ascontiguousarray(fitted._distances_fit_X_[:, neighbours - 1])
    points = np.asarray(fitted._fit_X, dtype=np.float64)
    arrays = {"points": points, "reach": reach, "density": fitted._lrd}
    return {"neighbours": float(neighbours)}, arrays


fit = fit_standardised(fit_library, export)

"""Support vectors of the null, by scikit-learn's one-class SVM."""

from collections.abc import Mapping

import numpy as np
from sklearn.svm import OneClassSVM

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


def fit_library(seen: Floats, numbers: Mapping[str, float], seed: int) -> OneClassSVM:
    """The library's own, on standardised rows of shape (n, d); nothing is drawn."""
    spread = float(seen.var()) or 1.0
    gamma = numbers["gamma"] / (seen.shape[1] * spread)
    return OneClassSVM(nu=numbers["nu"], gamma=gamma).fit(seen)


def export(fitted: OneClassSVM) -> Fitted:
    """Numbers and arrays, without the standardisation."""
    params = {"gamma": float(fitted.gamma), "offset": -float(fitted.intercept_[0])}
    coefficients = np.ascontiguousarray(fitted.dual_coef_[0])
    return params, {"points": fitted.support_vectors_, "coefficients": coefficients}


fit = fit_standardised(fit_library, export)

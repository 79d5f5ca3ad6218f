"""The fit of the toy kind."""

from collections.abc import Mapping, Sequence

import numpy as np

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


def fit(inputs: Sequence[Floats], numbers: Mapping[str, float], seed: int) -> Fitted:
    """Numbers and arrays of a model; nothing is drawn."""
    return fit_standardised(inputs, numbers, seed, _fit, lambda arrays: ({}, arrays))


def _fit(seen: Floats, numbers: Mapping[str, float], _seed: int) -> dict[str, Floats]:
    median = np.median(seen, axis=0)
    away = np.quantile(abs(seen - median), numbers["quantile"], axis=0)
    return {"median": median, "spread": np.where(away > 0, away, 1.0)}

"""The ridge regression of a text's hidden state on its neighbours' (ours)."""

from collections.abc import Mapping, Sequence

import numpy as np

from tuni.detectors.fits.standard import Standard
from tuni.detectors.kind import Fitted, Floats


def fit(inputs: Sequence[Floats], numbers: Mapping[str, float], seed: int) -> Fitted:
    """T of docs/method.md in closed form; nothing is drawn.

    Args:
        inputs: Of the fit decoys, each of shape (n, d): h; A, mean h with other last names; B,
            mean h with other first names.
        numbers: ``ridge``, penalty of the regression of h on standardised [A, B], in units of n,
            and ``spread``.
        seed: Not used.
    """
    hidden, lasts, firsts = inputs
    others = np.hstack([lasts, firsts])
    standard = Standard.of(others, 0)
    seen, mean = standard.apply(others), hidden.mean(axis=0)
    count, width = seen.shape
    penalty = numbers["ridge"] * count
    if width <= count:
        gram = seen.T @ seen + penalty * np.eye(width)
        weights = np.linalg.solve(gram, seen.T @ (hidden - mean))
    else:  # the same solution, by the smaller system
        gram = seen @ seen.T + penalty * np.eye(count)
        weights = seen.T @ np.linalg.solve(gram, hidden - mean)
    return {"spread": numbers["spread"]}, {
        "means": standard.center,
        "scales": standard.scale,
        "weights": weights,
        "intercept": mean,
        "residual_mean": (hidden - seen @ weights - mean).mean(axis=0),
        "hidden_mean": mean,
    }

"""Thresholds of the parts of a vote."""

from collections.abc import Mapping, Sequence

import numpy as np

from tuni.detectors.kind import Fitted, Floats
from tuni.errors import TooFewTexts


def fit(inputs: Sequence[Floats], numbers: Mapping[str, float], seed: int) -> Fitted:
    """The score of each part that a new text of the null exceeds with at most ``alpha``.

    Args:
        inputs: Scores of each part on texts that it was not fitted on, shape (n,).
        numbers: ``alpha`` and ``needed``.
        seed: Not used.

    Raises:
        TooFewTexts: So few texts set no threshold as fine as ``alpha``.
    """
    return numbers, {
        "thresholds": np.array([_threshold(scores, numbers["alpha"]) for scores in inputs])
    }


def _threshold(scores: Floats, alpha: float) -> float:
    rank = int(np.ceil((len(scores) + 1) * (1 - alpha) - 1e-9))
    if rank > len(scores):
        raise TooFewTexts(
            f"scale null: {len(scores)} texts cannot set a threshold at {alpha:g}",
            f"give at least {int(np.ceil(1 / alpha))} of them",
        )
    return float(np.sort(scores)[rank - 1])

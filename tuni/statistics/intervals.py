"""Counts with exact intervals.

The one law: a rate never travels without the counts that it comes from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from tuni.errors import UnusableScores

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ``low <= high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of texts with its Clopper-Pearson interval.

    Attributes:
        hits: Texts that count.
        n: Texts in all, at least 1.
        value: hits / n.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    hits: int
    n: int
    value: float
    low: float
    high: float


def clopper_pearson(hits: int, n: int, level: float = LEVEL) -> Interval:
    """Exact interval of a binomial share (Clopper and Pearson 1934).

    Args:
        hits: Successes in [0, n].
        n: Draws, at least 1.
        level: Confidence in (0, 1); half of the rest lies on either side.

    Returns:
        Interval in [0, 1] that covers the true share with at least that confidence.

    Raises:
        UnusableScores: n < 1 or hits outside [0, n].
    """
    if n < 1 or not 0 <= hits <= n:
        raise UnusableScores(f"rate: {hits} of {n} is no share", "pass counts of at least one text")
    tail = (1.0 - level) / 2.0
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1.0 - tail, hits + 1, n - hits))
    return Interval(low, high)


def rate(hits: int, n: int) -> Rate:
    """A counted share with its 95 % Clopper-Pearson interval.

    Raises:
        UnusableScores: n < 1 or hits outside [0, n].
    """
    interval = clopper_pearson(hits, n)
    return Rate(hits, n, hits / n, interval.low, interval.high)


def share(marks: ArrayLike) -> Rate:
    """How many of the marks are set, e.g. ``share(p <= 0.05)``.

    Args:
        marks: Shape (n,), booleans, n >= 1.

    Raises:
        UnusableScores: There are no marks.
    """
    flags: NDArray[np.bool_] = np.asarray(marks, dtype=bool)
    return rate(int(flags.sum()), flags.size)

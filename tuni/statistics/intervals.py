"""Counts with their intervals.

The one law: a rate never travels without the counts that it comes from, and where a threshold was
drawn too, its interval holds that draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc
from scipy.stats import beta, binom

from tuni.errors import UnusableScores

LEVEL = 0.95
_UNSEEN = 1e-7  # draws of a threshold that are rarer than this, on either side, are left out
_HALVINGS = 40  # of [0, 1], to find an interval's end


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ``low <= high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of texts with its interval.

    Attributes:
        hits: Texts that count.
        n: Texts in all, at least 1.
        value: hits / n.
        low: Lower end of the 95 % interval: Clopper-Pearson, or `redrawn_interval`.
        high: Upper end.
    """

    hits: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where texts stand among scores that their threshold comes from.

    Attributes:
        at_least: How many of those scores are at least as high as each text's, shape (n,).
        above: How many are higher, shape (n,).
        size: Scores in all, at least 1.
    """

    at_least: NDArray[np.int64]
    above: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, scores: ArrayLike, calibration: ArrayLike) -> "Ranks":
        """Ranks of scores, shape (n,), among calibration scores, shape (m,)."""
        ordered, values = np.sort(np.asarray(calibration)), np.asarray(scores)
        below = np.searchsorted(ordered, values, "left")
        upto = np.searchsorted(ordered, values, "right")
        return cls(len(ordered) - below, len(ordered) - upto, len(ordered))

    @classmethod
    def of_p(cls, p: ArrayLike, size: int) -> "Ranks":
        """Ranks from conformal p-values against so many scores; ties count as higher."""
        at_least = np.rint(np.asarray(p) * (size + 1)).astype(np.int64) - 1
        return cls(at_least, at_least, size)


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


def redrawn_interval(ranks: Sequence[Ranks], at: float) -> Interval:
    """95 % interval of the share of texts above a threshold that was itself drawn (ours).

    What is covered is the share of all such texts above the true threshold: the one that a share
    ``at`` of the scores behind the calibration exceeds; of several, above each. How many of m
    calibration scores exceed it is binomial (m, at), whatever their law. So K is drawn by that
    law, and the true threshold then lies between the K-th and the next highest score.
    The lower end counts the texts above the former, the upper those not below the latter, each with
    Clopper and Pearson's beta law; the ends are the tails of the mixtures over K. Where no score
    may exceed the threshold with more than 2.5 % (at 5 %: fewer than 72 scores) nothing is known
    about a lower end, and it is 0.

    Args:
        ranks: Of the same n texts among each set of calibration scores, n >= 1.
        at: Share of the calibration's law above the threshold, in [0, 1].

    Returns:
        Interval in [0, 1].
    """
    n = len(ranks[0].at_least)
    tail = (1.0 - LEVEL) / 2.0
    surely = _law_of_hits([one.at_least + 1 for one in ranks], [one.size for one in ranks], at)
    maybe = _law_of_hits([one.above for one in ranks], [one.size for one in ranks], at)
    hits = np.arange(n + 1)
    # Beta (0, b) is all at 0, beta (a, 0) all at 1.
    return Interval(
        low=_quantile(tail, surely[0], surely[1:], hits[1:], n - hits[1:] + 1),
        high=_quantile(1.0 - tail, 0.0, maybe[:-1], hits[:-1] + 1, n - hits[:-1]),
    )


def redrawn_share(marks: ArrayLike, ranks: Sequence[Ranks], at: float) -> Rate:
    """How many of the marks are set, with the interval of `redrawn_interval`.

    Args:
        marks: Shape (n,), booleans, n >= 1.
        ranks: Of the n texts among each set of scores that the marks' threshold comes from.
        at: Share of those scores' law that the threshold stands for.

    Raises:
        UnusableScores: There are no marks.
    """
    counted, drawn = share(marks), redrawn_interval(ranks, at)
    return Rate(
        counted.hits,
        counted.n,
        counted.value,
        min(drawn.low, counted.value),
        max(drawn.high, counted.value),
    )


def _law_of_hits(
    needed: Sequence[NDArray[np.int64]], sizes: Sequence[int], at: float
) -> NDArray[np.float64]:
    """Chance of each number of texts above all thresholds, shape (n + 1,).

    Args:
        needed: For each calibration the K from which on each text counts, shape (n,).
        sizes: Scores of each calibration.
        at: K is binomial (size, at).
    """
    grids = []
    places = []
    for least, size in zip(needed, sizes, strict=True):
        first, last = (int(binom.ppf(end, size, at)) for end in (_UNSEEN, 1.0 - _UNSEEN))
        grids.append(binom.pmf(np.arange(max(first, 0), last + 1), size, at))
        places.append(np.clip(least - max(first, 0), 0, len(grids[-1])))
    hits = np.zeros([len(grid) + 1 for grid in grids], dtype=np.int64)
    np.add.at(hits, tuple(places), 1)
    chance = np.ones(())
    for axis, grid in enumerate(grids):
        hits = np.take(hits.cumsum(axis), np.arange(len(grid)), axis)
        chance = np.multiply.outer(chance, grid / grid.sum())
    law = np.bincount(hits.ravel(), chance.ravel(), minlength=len(needed[0]) + 1)
    return np.asarray(law, dtype=np.float64)


def _quantile(
    wanted: float, at_zero: float, law: NDArray[np.float64], a: ArrayLike, b: ArrayLike
) -> float:
    """Quantile of a mixture of beta laws (a, b), and of 0 itself; 1 where the rest lies there."""
    seen = law > 0.0
    weights, a, b = law[seen], np.asarray(a)[seen], np.asarray(b)[seen]
    low, high = 0.0, 1.0
    if at_zero >= wanted:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if at_zero + float(weights @ betainc(a, b, middle)) < wanted:
            low = middle
        else:
            high = middle
    return high

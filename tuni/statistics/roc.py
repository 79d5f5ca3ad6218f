"""How well scores separate members from non-members: AUC, its part at low rates, ROC.

The one law: no figure depends on the order of the rows, and no rate is finer than the number of
non-members supports.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from tuni.statistics.intervals import LEVEL, Interval, Ranks, Rate, rate, redrawn_interval
from tuni.statistics.p_values import Floats, finite

DRAWS = 2000
_INTERVALS = 200  # of the ROC, dense at low rates; straight between them
_BLOCK = 2_000_000  # weights held at once, so that memory stays flat


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """The ROC as a table, from the strictest threshold to the mildest.

    Attributes:
        nonmember_fpr: Share of non-members above the threshold, shape (k,), rising.
        tpr: Share of members above it, shape (k,).
        low: Lower end of the pointwise 95 % interval of ``tpr`` (`redrawn_interval`).
        high: Upper end.
        members: Number of members.
        nonmembers: Number of non-members; no rate finer than one of them means anything.
    """

    nonmember_fpr: Floats
    tpr: Floats
    low: Floats
    high: Floats
    members: int
    nonmembers: int


def auc(members: ArrayLike, nonmembers: ArrayLike) -> float:
    """Chance that a member scores above a non-member; ties count half.

    Args:
        members: Scores, shape (n,), n >= 1.
        nonmembers: Scores, shape (m,), m >= 1.

    Returns:
        AUC in [0, 1].

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    pos, neg = _two(members, nonmembers)
    neg = np.sort(neg)
    below = np.searchsorted(neg, pos, "left") + np.searchsorted(neg, pos, "right")
    return float(below.sum() / (2.0 * len(pos) * len(neg)))


def auc_interval(
    members: ArrayLike, nonmembers: ArrayLike, seed: int, draws: int = DRAWS, level: float = LEVEL
) -> Interval:
    """Bootstrap interval of the AUC, widened so that it does not collapse at 1.

    Percentiles of a bootstrap within members and within non-members, united with Newcombe's
    score interval (2006, method 5; the union is ours): where the two hardly overlap, every
    redraw gives nearly the same AUC, and with 30 + 30 texts at a true AUC of .97 the bootstrap's
    95 % interval covered it in 87 % of simulations, the union in 98 %.

    Args:
        members: Scores, shape (n,), n >= 1.
        nonmembers: Scores, shape (m,), m >= 1.
        seed: Seed of the redraws.
        draws: Number of redraws.
        level: Confidence in (0, 1).

    Returns:
        Interval in [0, 1] around the AUC.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    pos, neg = (np.sort(part) for part in _two(members, nonmembers))
    scores, labels = np.concatenate([pos, neg]), np.repeat([True, False], [len(pos), len(neg)])
    redrawn = bootstrap_auc((scores,), labels, seed, draws)[0]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(redrawn, [tail, 1.0 - tail])
    score = _newcombe(auc(pos, neg), len(pos), len(neg), level)
    return Interval(min(float(low), score.low), max(float(high), score.high))


def partial_auc(members: ArrayLike, nonmembers: ArrayLike, max_nonmember_fpr: float) -> float:
    """Area under the ROC up to a rate of non-members, standardised (McClish 1989).

    Args:
        members: Scores, shape (n,), n >= 1.
        nonmembers: Scores, shape (m,), m >= 1.
        max_nonmember_fpr: Right end of the part, in (0, 1].

    Returns:
        .5 for chance, 1 for a perfect order; at ``max_nonmember_fpr=1`` the AUC itself.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    pos, neg = _two(members, nonmembers)
    scores = np.concatenate([pos, neg])
    labels = np.repeat([True, False], [len(pos), len(neg)])
    return float(weighted_auc(scores, labels, np.ones((1, len(scores))), max_nonmember_fpr)[0])


def tpr_at(members: ArrayLike, nonmembers: ArrayLike, nonmember_fpr: float) -> Rate | None:
    """Share of members found where exactly that share of the non-members is accused.

    The threshold is a non-member's score. Where several non-members tie with it, as votes do, that
    part of the tie is accused that the rate leaves room for, drawn by lot: the point on the ROC's
    segment. The interval draws members and threshold (`redrawn_interval`): with few non-members its
    lower end is 0, since they cannot say where so strict a threshold lies.

    Args:
        members: Scores, shape (n,), n >= 1.
        nonmembers: Scores, shape (m,), m >= 1.
        nonmember_fpr: Rate in (0, 1).

    Returns:
        The share, its ``hits`` rounded down where a tie is divided; or None where
        ``m * nonmember_fpr < 1``: the sample does not support it.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    pos, neg = _two(members, nonmembers)
    allowed = math.floor(nonmember_fpr * len(neg) + 1e-9)
    if allowed < 1:
        return None
    if allowed >= len(neg):
        return rate(len(pos), len(pos))
    found = float(found_at(pos, neg, allowed))
    value, drawn = found / len(pos), redrawn_interval([Ranks.of(pos, neg)], nonmember_fpr)
    return Rate(math.floor(found), len(pos), value, min(drawn.low, value), max(drawn.high, value))


def found_at(members: Floats, nonmembers: Floats, allowed: int) -> Floats:
    """Members found where so many non-members are accused, ties divided by lot: their mean.

    Args:
        members: Scores, shape (..., n).
        nonmembers: Scores, shape (..., m).
        allowed: Non-members, in [0, m).

    Returns:
        Shape (...), in [0, n].
    """
    threshold = np.partition(nonmembers, -1 - allowed, axis=-1)[..., -1 - allowed, None]
    beyond = (nonmembers > threshold).sum(axis=-1)
    tied = (nonmembers == threshold).sum(axis=-1)
    room = (allowed - beyond) / tied
    found = (members > threshold).sum(axis=-1) + room * (members == threshold).sum(axis=-1)
    return np.asarray(found, dtype=np.float64)


def roc(members: ArrayLike, nonmembers: ArrayLike) -> RocCurve:
    """The ROC at every distinct score, with pointwise intervals.

    Args:
        members: Scores, shape (n,), n >= 1.
        nonmembers: Scores, shape (m,), m >= 1.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    pos, neg = (np.sort(part) for part in _two(members, nonmembers))
    thresholds = np.unique(np.concatenate([pos, neg]))[::-1]
    hits = np.concatenate([[0], len(pos) - np.searchsorted(pos, thresholds, "left")])
    accused = np.concatenate([[0], len(neg) - np.searchsorted(neg, thresholds, "left")])
    nonmember_fpr, tpr = accused / len(neg), hits / len(pos)
    rates = np.unique(nonmember_fpr)
    some = np.unique(np.geomspace(1, len(rates), _INTERVALS).round().astype(int)) - 1
    ranks = [Ranks.of(pos, neg)]
    drawn = [redrawn_interval(ranks, at) for at in rates[some].tolist()]
    low = np.interp(nonmember_fpr, rates[some], [interval.low for interval in drawn])
    high = np.interp(nonmember_fpr, rates[some], [interval.high for interval in drawn])
    columns = (nonmember_fpr, tpr, np.minimum(low, tpr), np.maximum(high, tpr))
    for column in columns:
        column.setflags(write=False)
    return RocCurve(*columns, len(pos), len(neg))


def bootstrap_auc(
    scores: tuple[Floats, ...],
    members: NDArray[np.bool_],
    seed: int,
    draws: int,
    max_nonmember_fpr: float = 1.0,
) -> tuple[Floats, ...]:
    """Partial AUCs of redrawn texts; the same redraws for every array of scores.

    Args:
        scores: Arrays of shape (n,) over the same texts.
        members: Shape (n,).
        seed: Seed of the redraws, which keep the number of members and of non-members.
        draws: Number of redraws.
        max_nonmember_fpr: Right end of the part, in (0, 1].

    Returns:
        One array of shape (draws,) for each array of scores.
    """
    order = np.lexsort((*scores, members))  # equal results in whatever order the rows came
    labels = members[order]
    n_neg, n_pos = int((~labels).sum()), int(labels.sum())
    generator = np.random.default_rng(seed)
    collected: list[list[Floats]] = [[] for _ in scores]
    block = max(1, _BLOCK // len(labels))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        weights = np.concatenate(  # non-members stand first in this order
            [
                generator.multinomial(n_neg, np.full(n_neg, 1.0 / n_neg), size),
                generator.multinomial(n_pos, np.full(n_pos, 1.0 / n_pos), size),
            ],
            axis=1,
        ).astype(np.float64)
        for array, parts in zip(scores, collected, strict=True):
            parts.append(weighted_auc(array[order], labels, weights, max_nonmember_fpr))
    return tuple(np.concatenate(parts) for parts in collected)


def weighted_auc(
    scores: Floats, members: NDArray[np.bool_], weights: Floats, max_nonmember_fpr: float = 1.0
) -> Floats:
    """McClish-standardised partial AUC under many weightings of the same texts.

    Args:
        scores: Shape (n,).
        members: Shape (n,).
        weights: Shape (b, n), at least 0; members and non-members each need some in every row.
        max_nonmember_fpr: Right end of the part, in (0, 1].

    Returns:
        Shape (b,), .5 for chance, 1 for a perfect order.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0.0]))
    ordered = weights[:, order]
    up = np.add.reduceat(np.where(members[order], ordered, 0.0), starts, axis=1)
    right = np.add.reduceat(np.where(members[order], 0.0, ordered), starts, axis=1)
    up /= up.sum(axis=1, keepdims=True)
    right /= right.sum(axis=1, keepdims=True)
    height, reached = np.cumsum(up, axis=1), np.cumsum(right, axis=1)
    left = reached - right
    # Each tie group is one straight piece of the curve; cut it where the part ends.
    taken = np.clip(max_nonmember_fpr - left, 0.0, right)
    slope = np.divide(up, right, out=np.zeros_like(up), where=right > 0.0)
    area = (taken * (height - up) + 0.5 * slope * taken**2).sum(axis=1)
    chance = 0.5 * max_nonmember_fpr**2
    standardised: Floats = 0.5 * (1.0 + (area - chance) / (max_nonmember_fpr - chance))
    return np.minimum(standardised, 1.0)  # sums of weights may end a last bit above 1


def _newcombe(value: float, n_pos: int, n_neg: int, level: float) -> Interval:
    """Score interval of an AUC (Newcombe 2006, method 5): the values that it does not refute."""
    candidates = np.linspace(0.0, 1.0, 10_001)
    scale = 1.0 + (0.5 * (n_pos + n_neg) - 1.0) * (
        (1.0 - candidates) / (2.0 - candidates) + candidates / (1.0 + candidates)
    )  # Hanley and McNeil's variance, times the two counts
    spread = np.sqrt(candidates * (1.0 - candidates) * scale / (n_pos * n_neg))
    kept = candidates[np.abs(candidates - value) <= norm.ppf(0.5 + level / 2.0) * spread]
    low, high = float(kept.min(initial=1.0)), float(kept.max(initial=0.0))
    return Interval(min(low, value), max(high, value))


def _two(members: ArrayLike, nonmembers: ArrayLike) -> tuple[Floats, Floats]:
    pos = finite(members, "scores of members", minimum=1)
    neg = finite(nonmembers, "scores of non-members", minimum=1)
    return pos, neg

"""Are known non-members accused no more often than the p-values promise?

The one law: validity is one-sided. A rate above the nominal one refutes the tool; a rate below
it costs power and is reported, never counted as a failure.

Why beta-binomial (ours, from the ranks): p = r / (m + 1) with r the rank of a text's score among
the m calibration scores, so p <= alpha exactly where the score lies above the a-th highest
calibration score, a = floor(alpha (m + 1)). For exchangeable continuous scores the share of
non-members beyond that order statistic is Beta(a, m + 1 - a). All n texts are judged against the
same m scores, so the number of rejections is binomial given that share: beta-binomial. Ties only
lower it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import betabinom, binom, ks_2samp

from tuni.errors import UnusableScores
from tuni.statistics.intervals import Ranks, Rate, rate, redrawn_share
from tuni.statistics.p_values import finite

REFUTED = 0.01  # a validity p at or below this refutes the nominal rate (ours)
LEAST_OF_GROUP = 10  # texts of a group whose rate is looked at (ours)
UNEVEN = (
    0.05  # a group whose rate is this unlikely, over all groups, refutes the nominal one (ours)
)
_EXACT_CELLS = 1_000_000  # beyond this many pairs the asymptotic law is used


@dataclass(frozen=True, slots=True)
class NullCheck:
    """Rejections among known non-members against their law under exchangeability.

    Attributes:
        nominal: Rate that p <= nominal promises.
        attained: The rate that m calibration scores can attain, a / (m + 1) <= nominal.
        n_calibration: Calibration scores m, shared by all texts.
        rejected: Share of non-members with p <= nominal; its interval holds the draw of the
            calibration scores.
        validity_p: P(at least as many rejections) if the p-values are valid: small refutes them.
        conservatism_p: P(at most as many rejections): small says that power is given away.
        valid: ``validity_p`` is above `REFUTED`.
    """

    nominal: float
    attained: float
    n_calibration: int
    rejected: Rate
    validity_p: float
    conservatism_p: float
    valid: bool


@dataclass(frozen=True, slots=True)
class TwoSample:
    """Kolmogorov-Smirnov tests of non-members' scores against the calibration scores.

    Attributes:
        distance: Largest gap between the two distribution functions, in [0, 1].
        p: Two-sided p-value: small says that the decoys do not stand for the non-members.
        distance_above: Largest gap in the harmful direction, non-members above the decoys.
        p_above: One-sided p-value of that gap.
        n: Non-members.
        n_calibration: Calibration scores.
    """

    distance: float
    p: float
    distance_above: float
    p_above: float
    n: int
    n_calibration: int


def null_check(p_nonmembers: ArrayLike, n_calibration: int, nominal: float) -> NullCheck:
    """Check the realised rate of known non-members at one nominal rate.

    Args:
        p_nonmembers: Single-source conformal p-values of known non-members that had no part in
            any choice, shape (n,), n >= 1. The larger of several p-values is conservative.
        n_calibration: Size m of the calibration set that they share, at least 1.
        nominal: Nominal rate in (0, 1).

    Raises:
        UnusableScores: No p-value, or one outside [0, 1], or no calibration score.
    """
    p = finite(p_nonmembers, "p-values of non-members", minimum=1)
    if p.min() < 0.0 or p.max() > 1.0:
        raise UnusableScores("p-values of non-members: outside 0 to 1", "pass p-values, not scores")
    if n_calibration < 1:
        raise UnusableScores("calibration scores: none", "calibrate with decoys first")
    rejected = redrawn_share(p <= nominal, [Ranks.of_p(p, n_calibration)], nominal)
    beyond = math.floor(nominal * (n_calibration + 1) + 1e-9)
    if beyond == 0:  # no p-value can be that small
        validity, conservatism = (1.0 if rejected.hits == 0 else 0.0), 1.0
    else:
        law = betabinom(rejected.n, beyond, n_calibration + 1 - beyond)
        validity, conservatism = float(law.sf(rejected.hits - 1)), float(law.cdf(rejected.hits))
    return NullCheck(
        nominal=nominal,
        attained=beyond / (n_calibration + 1),
        n_calibration=n_calibration,
        rejected=rejected,
        validity_p=min(max(validity, 0.0), 1.0),
        conservatism_p=min(max(conservatism, 0.0), 1.0),
        valid=validity > REFUTED,
    )


def two_sample(nonmembers: ArrayLike, calibration: ArrayLike) -> TwoSample:
    """Compare whole distributions: do decoys score as known non-members do?

    Args:
        nonmembers: Scores of known non-members, shape (n,), n >= 1.
        calibration: Calibration scores, shape (m,), m >= 1.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    known = finite(nonmembers, "scores of non-members", minimum=1)
    decoys = finite(calibration, "calibration scores", minimum=1)
    method = "exact" if len(known) * len(decoys) <= _EXACT_CELLS else "asymp"
    both = ks_2samp(known, decoys, method=method)
    # "less": the distribution function of the first lies below, its scores therefore above.
    above = ks_2samp(known, decoys, alternative="less", method=method)
    return TwoSample(
        distance=float(both.statistic),
        p=float(both.pvalue),
        distance_above=float(above.statistic),
        p_above=float(above.pvalue),
        n=len(known),
        n_calibration=len(decoys),
    )


@dataclass(frozen=True, slots=True)
class Evenness:
    """How evenly texts that were not trained on are accused, whatever group they belong to.

    Attributes:
        groups: Groups of at least `LEAST_OF_GROUP` texts.
        worst: Rate of the group that is accused most.
        spread: Standard deviation of the groups' rates over that of equal groups; 1 is chance.
        even: Whether none of them is refuted to be accused at the nominal rate at most (exact
            binomial test, one-sided 95 %, Bonferroni over groups).
    """

    groups: int
    worst: Rate
    spread: float
    even: bool


def evenness(groups: Sequence[str], p: ArrayLike, nominal: float) -> Evenness | None:
    """Look for a group that is accused too often.

    Args:
        groups: Group of each of n texts, such as its family name.
        p: p-values of the texts, shape (n,).
        nominal: Operating point.

    Returns:
        The figures, or None without a group that is large enough.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.bincount(group)
    hits = np.bincount(group, finite(p, "p-values") <= nominal).astype(int)
    hits, counts = hits[counts >= LEAST_OF_GROUP], counts[counts >= LEAST_OF_GROUP]
    if not len(counts):
        return None
    rates = hits / counts
    worst = int(np.argmax(rates))
    mean = hits.sum() / counts.sum()
    chance = float(np.sqrt((mean * (1 - mean) / counts).mean()))
    tails = binom.sf(hits - 1, counts, nominal)
    return Evenness(
        groups=len(counts),
        worst=rate(int(hits[worst]), int(counts[worst])),
        spread=float(rates.std() / chance) if chance else 1.0,
        even=bool(tails.min() * len(counts) > UNEVEN),
    )

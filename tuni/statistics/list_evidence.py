"""What the p-values of a list say together, where no single one says enough.

The one law: a bound on members never rests on strangers being accused exactly as often as
promised. It allows for the error of the null that was measured on known non-members, or for a
stated one.

The bound (ours) is a closed test, in the form of Goeman and Solari (2011). Take any k texts of the
list as the strangers. All are judged against the same m calibration scores, so that the share of
strangers with p <= t is Beta(t (m + 1), (1 - t)(m + 1)), and given that share their number is
binomial: the law of `tuni.statistics.null_check`, with t raised by what is allowed for the null's
error. k is refuted where fewer than 5 % of lists would hold so many strangers with p <= t, even if
all other texts are members that do. The largest k that is not refuted leaves n - k members at
least. The larger of two p-values only lowers the number of small ones; so do ties.

What it needs: but for that error, strangers of the list are exchangeable with the calibration
decoys, and independent of each other given those; and they resemble the known non-members, where
those measured the error. A namesake of a trained person counts as known. It needs nothing of
members. Smaller thresholds
beside the operating point cost more (Bonferroni) than they found in every simulated case. Simes'
test, valid under the positive dependence of conformal p-values (Bates et al. 2023), needs single
p-values far smaller than decoys can give.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betainc
from scipy.stats import beta, norm

from tuni.errors import UnusableScores
from tuni.statistics.intervals import Rate, clopper_pearson
from tuni.statistics.p_values import Floats, finite

if TYPE_CHECKING:  # whoever only reads what was found need not load a model's library
    pass

LEVEL = 0.95
ALLOWANCE = 0.02  # by how much strangers may exceed the operating point where nothing measured it
TAIL = 0.2  # p-values above it are taken for strangers' in the estimate of the share (ours)
_NODES = 500  # of the law of the strangers' share; errs by at most 1 / _NODES, to the safe side


@dataclass(frozen=True, slots=True)
class ListEvidence:
    """Evidence about a whole list.

    Attributes:
        texts: Distinct texts with a p-value that the figures are of.
        at_least: Lower 95 % bound on the members among them.
        stranger_fpr: Share of strangers that the bound lets have p at or below the operating
            point.
        known_nonmembers: Known non-members that it was measured on; 0 where it is
            `ALLOWANCE` above the operating point, a stated value.
        at_least_stated: The bound with the stated allowance, whatever was measured.
        seen: Estimated share of the list that the model treats as members (Storey 2002).
        seen_low: Lower end of its 95 % interval.
        seen_high: Upper end; members that the model treats as strangers are not in it.
        selected_on: Further texts of the list, left out for having taken part in choosing the
            detector.
    """

    texts: int
    at_least: int
    stranger_fpr: float
    known_nonmembers: int
    at_least_stated: int
    seen: float
    seen_low: float
    seen_high: float
    selected_on: int = 0

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values with stable keys."""
        return asdict(self)


def list_evidence(
    levels: Mapping[float, int],
    n_calibration: int,
    operating_point: float,
    nonmember_fpr: Rate | None = None,
) -> ListEvidence:
    """Bound and estimate the members of a list.

    Args:
        levels: Distinct p-values and how many distinct texts have each.
        n_calibration: Calibration scores that they share, at least 1; the fewest where several
            sets are.
        operating_point: Nominal rate in (0, 1).
        nonmember_fpr: Share of known non-members with p at or below it, single-source p-values;
            None where there are none.

    Raises:
        UnusableScores: No p-value, one outside [0, 1], or a count below 1.
    """
    stated = operating_point + ALLOWANCE
    most, error = stated, 1.0 - LEVEL
    least, seen_most, end = max(0.0, operating_point - ALLOWANCE), stated, error / 2
    if nonmember_fpr is not None:
        # One end of a 95 % interval errs in 2.5 %: as much is left for the bound itself.
        most, error = max(nonmember_fpr.high, operating_point), error / 2
        # The share has two ends, each with a measured rate of its own: all four errors add to 5 %.
        wide = clopper_pearson(nonmember_fpr.hits, nonmember_fpr.n, (1.0 + LEVEL) / 2.0)
        least, seen_most, end = wide.low, max(wide.high, operating_point), end / 2

    def bound(stranger_fpr: float, alpha: float) -> int:
        return members_at_least(
            levels, n_calibration, operating_point, stranger_fpr, level=1.0 - alpha
        )

    n = sum(levels.values())
    share, high = _seen(levels, n_calibration, operating_point, least, end)
    low = bound(seen_most, end) / n
    return ListEvidence(
        texts=n,
        at_least=bound(most, error),
        stranger_fpr=most,
        known_nonmembers=0 if nonmember_fpr is None else nonmember_fpr.n,
        at_least_stated=bound(stated, 1.0 - LEVEL),
        seen=max(share, low),
        seen_low=low,
        seen_high=max(high, share, low),
    )


def members_at_least(
    levels: Mapping[float, int],
    n_calibration: int,
    operating_point: float,
    stranger_fpr: float,
    *,
    level: float = LEVEL,
) -> int:
    """Lower bound on the members of a list.

    Args:
        levels: Distinct p-values and how many distinct texts have each.
        n_calibration: Calibration scores that they share, at least 1.
        operating_point: Nominal rate in (0, 1).
        stranger_fpr: Share of strangers that may have p at or below it.
        level: Confidence in (0, 1).

    Returns:
        Number in [0, n]; more than the list holds in at most 1 - ``level`` of lists.

    Raises:
        UnusableScores: No p-value, one outside [0, 1], or a count below 1.
    """
    p, counts = _table(levels)
    if n_calibration < 1:
        raise UnusableScores("calibration scores: none", "calibrate with decoys first")
    n = int(counts.sum())
    small = int(counts[p <= operating_point].sum())
    rates = _stranger_rates(max(stranger_fpr, operating_point), n_calibration)
    # The more texts are strangers, the less probable so many small p-values: bisect.
    accepted, refuted = 0, n + 1
    while refuted - accepted > 1:
        strangers = (accepted + refuted) // 2
        needed = small - (n - strangers)
        # P(so many or more) of a binomial count, averaged over the strangers' share.
        if needed <= 0 or betainc(needed, strangers - needed + 1, rates).mean() > 1.0 - level:
            accepted = strangers
        else:
            refuted = strangers
    return n - accepted


@lru_cache(maxsize=64)
def _stranger_rates(mean: float, n_calibration: int) -> Floats:
    """Equally likely shares of strangers with p <= t; each the top of its slice of the law."""
    if mean >= 1.0:
        return np.ones(1)
    law = beta(mean * (n_calibration + 1), (1.0 - mean) * (n_calibration + 1))
    rates = np.asarray(law.ppf(np.arange(1, _NODES + 1) / _NODES), dtype=np.float64)
    rates.setflags(write=False)
    return rates


def _seen(
    levels: Mapping[float, int],
    n_calibration: int,
    operating_point: float,
    least_fpr: float,
    error: float,
) -> tuple[float, float]:
    """Storey's estimate of the members' share and the upper end of its interval.

    The end errs in ``error`` of lists, by the normal law.

    Strangers that are accused more rarely than promised have more p-values above `TAIL`, and
    hide members. How many more follows from ``least_fpr`` for scores that are shifted (normal
    law, ours).
    """
    p, counts = _table(levels)
    n = int(counts.sum())
    above = int(counts[p > TAIL].sum()) / n
    share = 1.0 - (above + 1.0 / n) / (1.0 - TAIL)
    spread = sqrt(above * (1.0 - above) / n + TAIL * (1.0 - TAIL) / (n_calibration + 2))
    shift = float(norm.ppf(least_fpr) - norm.ppf(operating_point))
    strangers_above = float(norm.sf(norm.ppf(TAIL) + shift))
    lowest = above - float(norm.isf(error)) * spread
    return max(share, 0.0), min(max(1.0 - lowest / strangers_above, 0.0), 1.0)


def _table(levels: Mapping[float, int]) -> tuple[Floats, Floats]:
    p = finite(list(levels), "p-values", minimum=1)
    counts = np.array(list(levels.values()), dtype=np.float64)
    if p.min() < 0.0 or p.max() > 1.0:
        raise UnusableScores("p-values: outside 0 to 1", "pass p-values, not scores")
    if (counts < 1).any():
        raise UnusableScores("p-values: a count below 1", "leave out levels that no text has")
    return p, counts

"""The search without labels: a list's own excess of small p-values decides, under a control.

The one law: a gain counts only on the half of the list that it was not searched on, and only for
a score whose excess vanishes where nobody can be a member.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, norm

from tuni.errors import TooFewTexts, UnusableScores
from tuni.statistics.choice_rule import (
    LEAST_LABELS,
    MARGIN,
    ONE_SIDED,
    REPLACES,
    TOO_FEW,
    Reason,
    reason_for,
    require_default,
)
from tuni.statistics.p_values import Floats, finite

CONTROL_LEVEL = 0.95  # a control half within this quantile of its law passes (ours)


@dataclass(frozen=True, slots=True, eq=False)
class HalvedP:
    """p-values of one trial's scores, each half against its own half of the search decoys.

    Attributes:
        list_first: Conformal p of the first half of the list against the first half of decoys.
        list_second: Second half against the second half.
        control_first: Negative control (decoys of another source, or people known to be absent),
            first half against the first half of decoys.
        control_second: Second half against the second half.
    """

    list_first: Floats
    list_second: Floats
    control_first: Floats
    control_second: Floats


@dataclass(frozen=True, slots=True)
class LabelFreeChoice:
    """Which trial of a label-free search is taken, and on what evidence.

    Attributes:
        chosen: The trial to take.
        default: The trial that stays unless beaten.
        best: Trial with the largest excess among those that the control lets pass.
        replaced: ``chosen`` is not the default.
        reason: Why.
        gain: Share of the list that searching finds beyond the default on the half not
            searched on.
        low: Lower end of its one-sided 99 % interval.
        margin: What ``gain`` has to reach.
        default_excess: Share of the list with p <= nominal, less nominal, by the default.
        best_excess: The same by the best trial; flatters.
        default_control: Excess of the default on the negative control.
        best_control: Excess of the best trial there.
        control_bound: Excess that chance alone gives the control in 5 % of cases; more is refused.
        default_passes: The default itself vanishes on the control; if not, its p-values are
            doubtful for this list.
        refused: Trials that the control refused.
        trials: Trials compared.
        nominal: Nominal rate.
    """

    chosen: int
    default: int
    best: int
    replaced: bool
    reason: Reason
    gain: float
    low: float
    margin: float
    default_excess: float
    best_excess: float
    default_control: float
    best_control: float
    control_bound: float
    default_passes: bool
    refused: int
    trials: int
    nominal: float

    @property
    def open(self) -> bool:
        """Whether any trial, however good, could take the default's place."""
        room = 1.0 - self.nominal - self.default_excess
        return self.reason != TOO_FEW and room >= self.margin


def label_free_choice(
    trials: Mapping[int, HalvedP],
    default: int,
    n_calibration: int,
    *,
    margin: float = MARGIN,
    nominal: float = 0.05,
) -> LabelFreeChoice:
    """Choose by the share of an unlabelled list that is found, judged on its other half (ours).

    A valid score exceeds the nominal rate only by finding members; a score that merely feels the
    decoys' misfit does too, and shows it on the negative control: trials whose excess there lies
    beyond chance are refused. On each half, the trial with the largest excess is compared with
    the default on the other half. The best trial over both halves replaces the default only
    where that gain reaches the margin and its one-sided 99 % lower bound (texts and shared
    calibration decoys, normal law) lies above 0. Simulated with 60 equal trials and lists of 100
    and 500, a lucky one replaced the default in about 1 of 100.

    Args:
        trials: p-values by trial.
        default: The trial that stays unless beaten.
        n_calibration: Search decoys in the smaller half, at least 1.
        margin: Share of the list that has to be gained.
        nominal: Nominal rate in (0, 1).

    Raises:
        RequestError: The default is not among the trials.
        TooFewTexts: An array of p-values is empty, or the decoys are too few for the rate.
        UnusableScores: A p-value is not finite.
    """
    require_default(trials, default)
    names = [default, *(name for name in trials if name != default)]
    p_list = [
        _stacked([trials[n].list_first for n in names]),
        _stacked([trials[n].list_second for n in names]),
    ]
    p_control = [
        _stacked([trials[n].control_first for n in names]),
        _stacked([trials[n].control_second for n in names]),
    ]
    both = _mean_share(p_list, nominal) - nominal
    on_control = _mean_share(p_control, nominal) - nominal
    bound = _noise_bound(sum(p.shape[1] for p in p_control), n_calibration, nominal) - nominal
    # The control says nothing about the list, so it may be looked at as a whole.
    allowed = on_control <= bound
    gain, low = _cross_fitted_gain(p_list, allowed, n_calibration, nominal)
    best = _leader(both, allowed)
    few = min(half.shape[1] for half in (*p_list, *p_control)) < LEAST_LABELS
    reason = reason_for(best == 0, few, gain, low, margin)
    if best == 0 and not few and both.max() > both[0]:
        reason = "the gain also shows where nobody is a member"
    replaced = reason == REPLACES
    return LabelFreeChoice(
        chosen=names[best] if replaced else default,
        default=default,
        best=names[best],
        replaced=replaced,
        reason=reason,
        gain=gain,
        low=low,
        margin=margin,
        default_excess=float(both[0]),
        best_excess=float(both[best]),
        default_control=float(on_control[0]),
        best_control=float(on_control[best]),
        control_bound=bound,
        default_passes=bool(allowed[0]),
        refused=int((~allowed).sum()),
        trials=len(names),
        nominal=nominal,
    )


def _mean_share(p_halves: list[Floats], nominal: float) -> Floats:
    """Share with p <= nominal by trial, each half counted alike."""
    first, second = ((p <= nominal).mean(axis=1) for p in p_halves)
    return np.asarray((first + second) / 2.0, dtype=np.float64)


def _noise_bound(n: int, n_calibration: int, nominal: float) -> float:
    """Share of n controls with p <= nominal that chance stays within in 95 % of cases.

    The law is that of `tuni.statistics.null_check`, here with two halves of the calibration decoys.
    """
    beyond = floor(nominal * (n_calibration + 1) + 1e-9)
    if beyond < 1:
        raise TooFewTexts(
            f"search decoys: {n_calibration} in a half cannot show p <= {nominal}",
            "ask for more decoys",
        )
    law = betabinom(n, 2 * beyond, 2 * (n_calibration + 1 - beyond))
    return float(law.ppf(CONTROL_LEVEL)) / n


def _leader(excess: Floats, allowed: NDArray[np.bool_]) -> int:
    """Place of the largest excess among the allowed trials; the default, first, is always one."""
    open_to = allowed.copy()
    open_to[0] = True
    return int(np.argmax(np.where(open_to, excess, -np.inf)))


def _cross_fitted_gain(
    p_list: list[Floats], allowed: NDArray[np.bool_], n_calibration: int, nominal: float
) -> tuple[float, float]:
    """Gain of searching on one half, seen on the other, and its one-sided lower bound."""
    gain = variance = 0.0
    threshold = nominal * (1.0 - nominal) / (n_calibration + 2)
    for here, there in ((0, 1), (1, 0)):
        winner = _leader((p_list[here] <= nominal).mean(axis=1), allowed)
        pair = p_list[there][[0, winner]]
        gained = (pair[1] <= nominal).astype(np.float64) - (pair[0] <= nominal)
        gain += float(gained.mean()) / 2.0
        variance += float(gained.var()) / len(gained) / 4.0
        if winner:
            # Few decoys set each threshold; how much that moves the share found is the slope of
            # the p-values' distribution there: 1 among strangers, steep where members begin.
            near = (pair <= 2.0 * nominal).mean(axis=1) - (pair <= nominal / 2.0).mean(axis=1)
            slopes = near / (1.5 * nominal)
            variance += threshold * float((slopes**2).sum()) / 4.0
    return gain, gain - float(norm.ppf(ONE_SIDED)) * sqrt(variance)


def _stacked(p_values: list[Floats]) -> Floats:
    """One row of p-values per trial, shape (trials, n)."""
    arrays = [finite(p, "p-values") for p in p_values]
    if len({len(array) for array in arrays}) != 1:
        raise UnusableScores("p-values: trials differ in length", "score the same texts in each")
    if not len(arrays[0]):
        raise TooFewTexts("p-values: a half is empty", "give a longer list or more decoys")
    return np.array(arrays)

"""The search without labels: a list's own excess of small p-values decides, under a control.

The one law: a gain counts only on the half of the list that it was not searched on, and only for
a score whose excess vanishes where nobody can be a member.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import betabinom, norm

from tuni.choice_rule import (
    LEAST_LABELS,
    ONE_SIDED,
    REPLACES,
    Reason,
    reason_for,
    require_default,
)
from tuni.errors import TooFewTexts, UnusableScores
from tuni.verdicts import Floats, conformal_p, finite

# Share of the list that a trial must find beyond the default (ours).
LABEL_FREE_MARGIN = 0.05
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
        control_bound: Excess that chance alone gives a control half in 5 % of cases.
        default_passes: The default itself vanishes on the control; if not, its p-values are
            doubtful for this list.
        refused: Trials that the control refused.
        trials: Trials compared.
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


def label_free_objective(
    listed: ArrayLike, decoys: ArrayLike, control: ArrayLike | None, nominal: float = 0.05
) -> float:
    """What a label-free search maximises: the list's excess of small p-values (ours).

    An excess on the negative control is taken off: a score that feels the decoys' misfit gains
    nothing by it.

    Args:
        listed: Scores of the half of the list that is searched on, shape (n,), n >= 1.
        decoys: Scores of the search decoys, shape (m,), m >= 1.
        control: Scores of the negative control, or None.
        nominal: Nominal rate in (0, 1).

    Returns:
        share(p <= nominal) - nominal, less the control's own where that is above 0.

    Raises:
        UnusableScores: A score is not finite or an array is empty.
    """
    finite(listed, "scores of the list", minimum=1)
    excess = float((conformal_p(listed, decoys) <= nominal).mean()) - nominal
    if control is None or not np.size(control):
        return excess
    return excess - max(0.0, float((conformal_p(control, decoys) <= nominal).mean()) - nominal)


def halved_p(
    list_first: ArrayLike, list_second: ArrayLike, decoys: ArrayLike, control: ArrayLike
) -> HalvedP:
    """p-values of one trial for `label_free_choice`, from its scores.

    Args:
        list_first: Scores of one half of the list, shape (n1,).
        list_second: Scores of the other half, shape (n2,).
        decoys: Scores of the search decoys, shape (m,), m >= 2, in an order of chance that is the
            same for all trials; the first m // 2 serve the first half.
        control: Scores of the negative control, shape (c,), likewise.

    Raises:
        UnusableScores: A score is not finite, or there are fewer than two decoys.
    """
    pool = finite(decoys, "scores of search decoys", minimum=2)
    absent = finite(control, "scores of the control")
    first, second = pool[: len(pool) // 2], pool[len(pool) // 2 :]
    middle = len(absent) // 2
    return HalvedP(
        list_first=conformal_p(list_first, first),
        list_second=conformal_p(list_second, second),
        control_first=conformal_p(absent[:middle], first),
        control_second=conformal_p(absent[middle:], second),
    )


def label_free_choice(
    trials: Mapping[int, HalvedP],
    default: int,
    n_calibration: int,
    *,
    margin: float = LABEL_FREE_MARGIN,
    nominal: float = 0.05,
) -> LabelFreeChoice:
    """Choose by the share of an unlabelled list that is found, judged on its other half (ours).

    A valid score exceeds the nominal rate only by finding members; a score that merely feels the
    decoys' misfit does too, and shows it on the negative control. On each half, the trial with
    the largest excess among those whose control lies within its noise is compared with the
    default on the other half. The best trial over both halves replaces the default only where
    the control lets it pass on both, the gain reaches the margin, and its one-sided 99 % lower
    bound (texts and shared calibration decoys, normal law) lies above 0.

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
    listed = [
        _found([trials[n].list_first for n in names], nominal),
        _found([trials[n].list_second for n in names], nominal),
    ]
    control = [
        _found([trials[n].control_first for n in names], nominal),
        _found([trials[n].control_second for n in names], nominal),
    ]
    beyond = floor(nominal * (n_calibration + 1) + 1e-9)
    if beyond < 1:
        raise TooFewTexts(
            f"search decoys: {n_calibration} in a half cannot show p <= {nominal}",
            "ask for more decoys",
        )
    bounds = [
        float(betabinom(half.shape[1], beyond, n_calibration + 1 - beyond).ppf(CONTROL_LEVEL))
        / half.shape[1]
        for half in control
    ]
    passes = [half.mean(axis=1) <= bound for half, bound in zip(control, bounds, strict=True)]
    excess = [half.mean(axis=1) - nominal for half in listed]
    gains: list[float] = []
    variance = 0.0
    for here, there in ((0, 1), (1, 0)):
        allowed = passes[here].copy()
        allowed[0] = True  # the default is always at hand
        winner = int(np.argmax(np.where(allowed, excess[here], -np.inf)))
        gained = listed[there][winner] - listed[there][0]
        gains.append(float(gained.mean()))
        variance += float(gained.var()) / len(gained) / 4.0
        if winner:  # two thresholds, each with the spread that shared calibration gives it
            variance += 2.0 * nominal * (1.0 - nominal) / (n_calibration + 2) / 4.0
    both = (excess[0] + excess[1]) / 2.0
    on_control = (control[0].mean(axis=1) + control[1].mean(axis=1)) / 2.0 - nominal
    allowed = passes[0] & passes[1]
    default_passes = bool(allowed[0])
    refused = int((~allowed).sum())
    allowed[0] = True
    best = int(np.argmax(np.where(allowed, both, -np.inf)))
    gain = float(np.mean(gains))
    low = gain - float(norm.ppf(ONE_SIDED)) * sqrt(variance)
    few = min(half.shape[1] for half in (*listed, *control)) < LEAST_LABELS
    reason = reason_for(best == 0, few, gain, low, margin)
    if best == 0 and refused - (not default_passes) > 0 and int(np.argmax(both)) != 0:
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
        control_bound=max(bounds) - nominal,
        default_passes=default_passes,
        refused=refused,
        trials=len(names),
    )


def _found(p_values: list[Floats], nominal: float) -> Floats:
    """Which texts each trial finds, shape (trials, n), as 0 and 1."""
    arrays = [finite(p, "p-values") for p in p_values]
    if len({len(array) for array in arrays}) != 1:
        raise UnusableScores("p-values: trials differ in length", "score the same texts in each")
    if not len(arrays[0]):
        raise TooFewTexts("p-values: a half is empty", "give a longer list or more decoys")
    return (np.array(arrays) <= nominal).astype(np.float64)

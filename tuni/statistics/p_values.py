"""From scores to p-values, q-values and words; NumPy alone, so that serving stays light.

The one law: nothing here may make an accusation easier than the calibration decoys allow.
Ties count against an accusation, and a score that is not a number is refused, since ranked it
would be the strongest evidence of all.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuni.errors import UnusableScores

Floats = NDArray[np.float64]

EVIDENCE = "evidence consistent with training membership"
NO_EVIDENCE = "no evidence at this power"
WITHHELD = "withheld"

# Share of the scores' spread that one grid step is (ours): far above the noise that other
# company in a batch makes (about 1e-6), far below the gap between two calibration decoys.
GRID_SHARE = 1e-4
# A step never falls below this share of the largest score, where the last bits live (ours).
GRID_FLOOR = 2.0**-44
_NODES = 400  # of the law that a stranger's scores have in common


def finite(values: ArrayLike, name: str, *, minimum: int = 0) -> Floats:
    """Returns the values as one flat array of doubles, all of them finite.

    Args:
        values: Shape (n,); numbers or booleans.
        name: What the array holds, for the message.
        minimum: Fewest values that will do.

    Returns:
        Shape (n,).

    Raises:
        UnusableScores: Not one-dimensional, too short, or a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise UnusableScores(
            f"{name}: came in shape {array.shape}, expected one value per text",
            "pass a flat array",
        )
    if len(array) < minimum:
        raise UnusableScores(
            f"{name}: {len(array)} values, expected at least {minimum}",
            "pass more texts",
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise UnusableScores(
            f"{name}: {len(bad)} of {len(array)} values are not finite, first in row {bad[0] + 1}",
            "check the checkpoint and the features of that row",
        )
    return array


def quantum(scores: ArrayLike) -> float:
    """Grid step for scores: the power of two next to 1e-4 of their spread (ours).

    The spread is the interquartile range over 1.349, or the standard deviation where more than
    half of the scores are equal. A power of two makes rounding to the grid exact. The grid makes
    ties of scores that only their last bits part (shares of votes, equal texts). Relative noise
    of 1e-6 moves 1 p-value in 4,400 by one rank against 2,000 decoys, with the grid or without.

    Args:
        scores: Calibration scores, shape (m,), m >= 1.

    Returns:
        The step, above 0.

    Raises:
        UnusableScores: Empty or not finite.
    """
    values = finite(scores, "calibration scores", minimum=1)
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return GRID_FLOOR
    unit = values / largest  # no overflow in the spread of huge scores
    quarter, three_quarters = np.quantile(unit, [0.25, 0.75])
    spread = float(three_quarters - quarter) / 1.349 or float(unit.std())
    share = max(GRID_SHARE * spread, GRID_FLOOR)
    exponent = round(math.log2(share) + math.log2(largest))
    return math.ldexp(1.0, max(exponent, -1022))


def quantise(scores: ArrayLike, quantum: float) -> Floats:
    """Scores rounded to the nearest multiple of the grid step.

    Args:
        scores: Shape (n,).
        quantum: The step, as `quantum` gives it.

    Returns:
        Shape (n,); keeps the order, never adds one.

    Raises:
        UnusableScores: A score is not finite, or the step is not above 0.
    """
    values = finite(scores, "scores")
    if not (math.isfinite(quantum) and quantum > 0.0):
        raise UnusableScores("quantum: not a number above 0", "calibrate again")
    with np.errstate(over="ignore"):
        steps = values / quantum
    on_grid = np.rint(np.where(np.isfinite(steps), steps, 0.0)) * quantum
    # Too large for a grid this fine: the score's own last bit is coarser than the step.
    return np.where(np.isfinite(steps), on_grid, values) + 0.0


def conformal_p(scores: ArrayLike, calibration: ArrayLike) -> Floats:
    """Share of calibration scores at least as high as each score, itself counted.

    p = (1 + #{calibration >= score}) / (m + 1) (Vovk, Gammerman and Shafer 2005). Valid where a
    text and the calibration decoys are exchangeable: P(p <= a) <= a.

    Args:
        scores: Shape (n,); higher is nearer to "trained on". Quantised by the caller.
        calibration: Scores of decoys kept out of the fit, shape (m,), m >= 1, on the same grid.

    Returns:
        p in [1 / (m + 1), 1], shape (n,); a tie counts against an accusation.

    Raises:
        UnusableScores: An array is misshapen or not finite, or there is no calibration score.
    """
    values = finite(scores, "scores")
    decoys = np.sort(finite(calibration, "calibration scores", minimum=1))
    at_least = len(decoys) - np.searchsorted(decoys, values, side="left")
    return np.asarray((1.0 + at_least) / (1.0 + len(decoys)), dtype=np.float64)


def q_values(
    levels: Mapping[float, int], dependence: Literal["bh", "by"] = "bh"
) -> dict[float, float]:
    """The q-value of each p-value that a list has, from how often the list has it.

    The step-up rule of Benjamini and Hochberg (1995), or of Benjamini and Yekutieli (2001) under
    any dependence. Conformal p-values take few distinct values, so that a list of any length is
    adjusted from a short table. With the larger of two p-values a theorem covers
    the false discovery rate of Benjamini-Yekutieli alone; the other is simulated and stated as
    measured.

    Args:
        levels: Distinct p-values in [0, 1] and how many distinct texts have each, at least 1.
        dependence: ``"bh"`` or ``"by"``.

    Returns:
        q in [0, 1] by p; q <= a marks the discoveries at level a.

    Raises:
        UnusableScores: A p-value is not finite or outside [0, 1], or a count is below 1.
    """
    p = np.sort(_p_values(list(levels)))
    counts = np.array([levels[value] for value in p.tolist()], dtype=np.int64)
    if (counts < 1).any():
        raise UnusableScores("p-values: a count below 1", "leave out levels that no text has")
    n = int(counts.sum())
    factor = 1.0 if dependence == "bh" else float(np.sum(1.0 / np.arange(1, n + 1)))
    # Of equal p-values the last has the smallest p n / rank, and gives its q to all of them.
    steps = p * n / np.cumsum(counts) * factor
    q = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return dict(zip(p.tolist(), q.tolist(), strict=True))


def series_p(p: ArrayLike, audits: ArrayLike) -> Floats:
    """One p-value from those of a text in several audits, however they depend on each other.

    Twice their mean (Rüschendorf 1982; Vovk and Wang 2020): who is a stranger in every audit gets
    a value of a or less in at most a of cases. It is small only where the text is found again and
    again. It holds for a number of audits that was fixed beforehand, not for the best of them.

    Args:
        p: Mean p-values, shape (n,).
        audits: In how many audits each text has one, shape (n,), at least 1.

    Returns:
        In [0, 1], shape (n,); the p-value itself of a single audit.

    Raises:
        UnusableScores: A p-value is not finite or outside [0, 1].
    """
    mean = _p_values(p)
    return np.where(np.asarray(audits) == 1, mean, np.minimum(2.0 * mean, 1.0))


def summed_p(z: ArrayLike, decoys: ArrayLike) -> Floats:
    """One p-value for each row of several texts, from whole decoy rows (ours).

    A row is exchanged as a whole, so that it holds however the texts of one row depend on each
    other.

    Args:
        z: Standardised scores of n rows' texts, shape (n, k).
        decoys: Of m decoy rows with texts of the same kinds, shape (m, k).

    Returns:
        Conformal p-values of the sums, shape (n,).

    Raises:
        UnusableScores: Not of these shapes, or not finite.
    """
    rows, others = (np.asarray(values, dtype=np.float64) for values in (z, decoys))
    if rows.ndim != 2 or others.ndim != 2 or rows.shape[1] != others.shape[1]:
        raise UnusableScores(
            f"rows: of shape {rows.shape}, their decoys {others.shape}",
            "give as many texts of each decoy row as of each row",
        )
    # On one grid, so that equal rows are ties whatever the order of their sums.
    return conformal_p(np.round(rows.sum(1), 9), np.round(others.sum(1), 9))


def smallest_p(p: ArrayLike) -> Floats:
    """One p-value for each row, from k of its texts, where decoy rows cannot be had.

    k times the smallest (Bonferroni), which holds under any dependence.

    Args:
        p: Shape (n, k), k >= 1.
    """
    values = np.asarray(p, dtype=np.float64)
    return np.asarray(np.minimum(values.min(axis=1) * values.shape[1], 1.0), dtype=np.float64)


def within_row(p: Mapping[str, float]) -> dict[str, float]:
    """The p-values of a row's texts, corrected for how many they are (Holm 1979), by kind."""
    corrected, largest = {}, 0.0
    for rank, kind in enumerate(sorted(p, key=lambda kind: p[kind])):
        largest = max(largest, min(1.0, p[kind] * (len(p) - rank)))
        corrected[kind] = largest
    return corrected


def accused_once(audits: int, operating_point: float, correlation: float = 0.8) -> float:
    """Chance that a stranger gets a finding in at least one of several audits.

    Args:
        audits: Audits of the same list, at least 1.
        operating_point: Rate of each, in (0, 1).
        correlation: Of a stranger's scores in two of them, normal law, in [0, 1); .8 is what
            retrainings of one checkpoint might have (ours, not measured).
    """
    law = NormalDist()
    threshold = law.inv_cdf(1.0 - operating_point)
    common = ((place + 0.5) / _NODES for place in range(_NODES))
    own = math.sqrt(1.0 - correlation)
    never = (
        law.cdf((threshold - math.sqrt(correlation) * law.inv_cdf(share)) / own) ** audits
        for share in common
    )
    return 1.0 - sum(never) / _NODES


def smallest_findable(n_list: int, n_decoys: int, level: float = 0.05) -> int:
    """How many members a list must hold at least before q-values can name any of them.

    No p-value is below 1 / (n_decoys + 1), so that k members reach q <= level only where
    n_list / (k (n_decoys + 1)) <= level (ours, from the step-up rule).

    Args:
        n_list: Texts in the list, at least 1.
        n_decoys: Calibration decoys, at least 1.
        level: False discovery rate in (0, 1).

    Returns:
        k in [1, n_list], or n_list + 1 where even a list of members alone would name none.
    """
    first = max(1, math.floor(n_list / (level * (n_decoys + 1))) - 1)
    smallest_p = 1.0 / (1.0 + n_decoys)
    for k in range(first, n_list + 1):
        if smallest_p * n_list / k <= level:  # the same arithmetic as in `q_values`
            return k
    return n_list + 1


def verdict_words(p: ArrayLike, operating_point: float) -> list[str]:
    """The verdict about each text: about the text, not about the person.

    Args:
        p: Shape (n,), each in [0, 1].
        operating_point: Rate of strangers that may get the same verdict, in (0, 1).

    Returns:
        `EVIDENCE` where p <= operating point, else `NO_EVIDENCE`.

    Raises:
        UnusableScores: A value is not finite or outside [0, 1].
    """
    return [EVIDENCE if value <= operating_point else NO_EVIDENCE for value in _p_values(p)]


def _p_values(p: ArrayLike) -> Floats:
    values = finite(p, "p-values")
    if len(values) and (values.min() < 0.0 or values.max() > 1.0):
        raise UnusableScores("p-values: outside 0 to 1", "pass p-values, not scores")
    return values

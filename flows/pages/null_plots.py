"""The figure of the null check: are p-values of known non-members as rare as they say?"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike
from scipy.stats import betabinom

from flows.pages.figures import BLUE, GREY, VERMILLION, Floats, frozen, percent
from tuni.statistics.p_values import finite

_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_POINTS = 60


@dataclass(frozen=True, slots=True, eq=False)
class NullTable:
    """Share of known non-members at or below each p, and what valid p-values allow.

    Attributes:
        nominal: p, rising to 1, shape (k,).
        realised: Share of non-members at or below it, shape (k,).
        low: Lower end of the range that holds the share in 95 % of cases, pointwise.
        high: Upper end; above it validity is in doubt.
        n: Non-members.
        n_calibration: Calibration scores.
    """

    nominal: Floats
    realised: Floats
    low: Floats
    high: Floats
    n: int
    n_calibration: int


def null_table(p_nonmembers: ArrayLike, n_calibration: int) -> NullTable:
    """Realised rates beside their beta-binomial law (see `tuni.statistics.null_check`).

    Args:
        p_nonmembers: Single-source p-values of known non-members, shape (n,), n >= 1.
        n_calibration: Calibration scores that they share.

    Raises:
        UnusableScores: There is no p-value, or one is not finite.
    """
    p = np.sort(finite(p_nonmembers, "p-values of non-members", minimum=1))
    finest = max(1.0 / (n_calibration + 1), 1.0 / len(p))  # no rate finer than the sample
    ranks = np.unique(np.floor(np.geomspace(finest, 1.0, _POINTS) * (n_calibration + 1) + 1e-9))
    ranks = ranks[(ranks >= 1) & (ranks <= n_calibration)]
    nominal = ranks / (n_calibration + 1)
    law = betabinom(len(p), ranks, n_calibration + 1 - ranks)
    return NullTable(
        nominal=frozen(np.append(nominal, 1.0)),
        realised=frozen(np.append(np.searchsorted(p, nominal + 1e-12, "right") / len(p), 1.0)),
        low=frozen(np.append(law.ppf(0.025) / len(p), 1.0)),
        high=frozen(np.append(law.ppf(0.975) / len(p), 1.0)),
        n=len(p),
        n_calibration=n_calibration,
    )


def draw_null(table: NullTable, axes: Axes, operating_point: float = 0.05) -> None:
    """Draw the realised rate within the range that chance allows, on logarithmic axes."""
    left = float(table.nominal[0])
    floor = min(left, 1.0 / table.n) / 2.0
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.fill_between(
        table.nominal, np.maximum(table.low, floor), table.high, color=GREY, alpha=0.25, linewidth=0
    )
    axes.plot([left, 1.0], [left, 1.0], color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    axes.step(
        table.nominal, np.maximum(table.realised, floor), where="post", color=BLUE, linewidth=1.8
    )
    axes.axvline(operating_point, color=VERMILLION, linewidth=1, linestyle=(0, (5, 2)))
    axes.annotate(
        "valid: within the grey or below", (left, 1.0), (5, -3), textcoords="offset points",
        ha="left", va="top", fontsize=8.5,
    )  # fmt: skip
    axes.set_xlim(left, 1.0)
    axes.set_ylim(floor, 1.15)
    for axis, start in ((axes.xaxis, left), (axes.yaxis, floor)):
        axis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick >= start]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.grid(True, which="major", linewidth=0.6)
    axes.set_xlabel("p-value against the calibration decoys (nominal rate)")
    axes.set_ylabel(f"share of {table.n} non-members at or below it")

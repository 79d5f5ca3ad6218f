"""Figures of scores: one function computes a frozen table, one draws it on an Axes.

The one law: a figure shows no more than its sample supports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from flows.pages.figures import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION, Floats, frozen, percent
from tuni.statistics.intervals import Rate
from tuni.statistics.roc import RocCurve, roc

_COLOURS = (BLUE, VERMILLION, GREEN, GREY, PURPLE)
_HATCHES = (None, "////", "....", None, "\\\\\\\\")


def roc_table(members: ArrayLike, nonmembers: ArrayLike) -> RocCurve:
    """The part of the ROC that can be shown: no rate below one non-member.

    Args:
        members: Scores, shape (n,), n >= 1; higher is nearer to "trained on".
        nonmembers: Scores, shape (m,), m >= 1.

    Raises:
        UnusableScores: An array is empty or not finite.
    """
    curve = roc(members, nonmembers)
    # At each step of the rate the curve is worth its highest point there.
    accused = np.rint(curve.nonmember_fpr * curve.nonmembers).astype(int)
    last = np.flatnonzero(np.append(np.diff(accused) > 0, True))
    shown = last[accused[last] >= 1]
    columns = (curve.nonmember_fpr, curve.tpr, curve.low, curve.high)
    nonmember_fpr, tpr, low, high = (frozen(column[shown]) for column in columns)
    return RocCurve(nonmember_fpr, tpr, low, high, curve.members, curve.nonmembers)


def draw_roc(table: RocCurve, axes: Axes, operating_point: float = 0.05) -> None:
    """Draw the ROC on logarithmic axes with its interval, chance and the operating point."""
    left = min(table.nonmember_fpr[0], 0.5)
    floor = min(1.0 / table.members, left)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([floor, 1], [floor, 1], color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    rate, low, high = table.nonmember_fpr, np.maximum(table.low, floor), table.high
    axes.fill_between(rate, low, high, step="post", color=BLUE, alpha=0.18, linewidth=0)
    axes.step(rate, np.maximum(table.tpr, floor), where="post", color=BLUE, linewidth=1.8)
    if left < operating_point:
        axes.axvline(operating_point, color=VERMILLION, linewidth=1, linestyle=(0, (5, 2)))
        axes.annotate(
            f"{percent(operating_point)} of non-members",
            (operating_point, floor),
            (4, 5),
            textcoords="offset points",
            color=VERMILLION,
            fontsize=8.5,
        )
    axes.set_xlim(left, 1)
    axes.set_ylim(floor, 1.05)
    _percent_ticks(axes, left, floor)
    axes.grid(True, which="major", linewidth=0.6)
    axes.set_xlabel(f"share of {table.nonmembers} non-members accused")
    axes.set_ylabel(f"share of {table.members} members found")


@dataclass(frozen=True, slots=True, eq=False)
class HistogramTable:
    """Scores of several groups on one grid.

    Attributes:
        edges: Shape (bins + 1,).
        groups: Names, in drawing order.
        shares: Share of each group per bin, shape (groups, bins); each row sums to 1.
        counts: Texts per group, shape (groups,).
    """

    edges: Floats
    groups: tuple[str, ...]
    shares: Floats
    counts: tuple[int, ...]


def histogram_table(groups: Mapping[str, ArrayLike], bins: int = 36) -> HistogramTable:
    """Share of each group per bin; groups without texts are left out.

    Args:
        groups: Scores by name of the group, each of shape (n,).
        bins: Bins over the central 99.8 % of all scores; the outer ones take what lies beyond.
    """
    kept = {name: np.asarray(scores, float) for name, scores in groups.items() if np.size(scores)}
    everything = np.concatenate([*kept.values()]) if kept else np.zeros(1)
    low, high = np.quantile(everything, [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    counted = [
        np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0] / len(scores)
        for scores in kept.values()
    ]
    shares = np.array(counted).reshape(len(kept), bins)
    counts = tuple(len(scores) for scores in kept.values())
    return HistogramTable(frozen(edges), tuple(kept), frozen(shares), counts)


def draw_histograms(table: HistogramTable, axes: Axes, threshold: float | None = None) -> None:
    """Draw one outlined histogram per group, one above the other, and the threshold's line."""
    top = float(table.shares.max(initial=0.0)) or 1.0
    count = len(table.groups)
    for row, (name, shares) in enumerate(zip(table.groups, table.shares, strict=True)):
        base = float(count - 1 - row)
        colour, hatch = _COLOURS[row % len(_COLOURS)], _HATCHES[row % len(_HATCHES)]
        heights = base + 0.56 * shares / float(shares.max() or top)
        axes.stairs(heights, table.edges, baseline=base, fill=True, color=colour, alpha=0.25)
        axes.stairs(heights, table.edges, baseline=base, color=colour, linewidth=1.3, hatch=hatch)
        axes.text(
            table.edges[0],
            base + 0.9,
            f"{name} ({table.counts[row]:,})",
            color=INK,
            fontsize=9,
            va="top",
        )
    if threshold is not None:
        left = threshold < table.edges.mean()
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (5, 2)))
        axes.annotate(
            "a finding from here on →" if left else "a finding beyond this line →",
            (threshold, count + 0.12),
            (5 if left else -5, 0),
            textcoords="offset points",
            fontsize=8.5,
            va="top",
            ha="left" if left else "right",
        )
    axes.set_ylim(0, count + 0.12)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("score (higher: nearer to “trained on”)")


@dataclass(frozen=True, slots=True)
class PowerTable:
    """Share of members found, by how many training captions they have.

    Attributes:
        captions: Labels of the groups, fewest captions first.
        members: Members per group.
        found: Shares found, in [0, 1].
        low: Lower ends of the 95 % intervals.
        high: Upper ends.
    """

    captions: tuple[str, ...]
    members: tuple[int, ...]
    found: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def power_table(groups: Sequence[tuple[str, Rate]]) -> PowerTable:
    """Members found, with intervals, by label of a group."""
    labels, rates = [label for label, _ in groups], [rate for _, rate in groups]
    return PowerTable(
        tuple(labels),
        tuple(rate.n for rate in rates),
        tuple(rate.value for rate in rates),
        tuple(rate.low for rate in rates),
        tuple(rate.high for rate in rates),
    )


def draw_power(table: PowerTable, axes: Axes, operating_point: float = 0.05) -> None:
    """Draw a point with its interval per group, and the rate of false accusations below."""
    places = np.arange(len(table.captions))
    found = np.array(table.found)
    errors = np.vstack([found - table.low, np.array(table.high) - found])
    axes.errorbar(
        places, found, errors, fmt="o", color=BLUE, markersize=6, capsize=3, linewidth=1.5
    )
    for place, value in zip(places, found, strict=True):
        axes.annotate(
            percent(value), (place, value), (7, -3), textcoords="offset points", fontsize=9
        )
    axes.axhline(operating_point, color=VERMILLION, linewidth=1, linestyle=(0, (5, 2)))
    axes.annotate(
        f"strangers: at most {percent(operating_point)}", (1, operating_point), (0, 3),
        xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", color=VERMILLION, fontsize=8.5,
    )  # fmt: skip
    labels = [f"{name}\n({n:,})" for name, n in zip(table.captions, table.members, strict=True)]
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.5, max(len(places) - 0.3, 0.7))
    axes.set_ylim(-0.02, 1.04)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.grid(True, axis="y", linewidth=0.6)
    axes.set_xlabel("captions in training (members in the group)")
    axes.set_ylabel("share found")


def _percent_ticks(axes: Axes, left: float, floor: float) -> None:
    ticks = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0]
    for axis, start in ((axes.xaxis, left), (axes.yaxis, floor)):
        axis.set_major_locator(FixedLocator([tick for tick in ticks if tick >= start]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))

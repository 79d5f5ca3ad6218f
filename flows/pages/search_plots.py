"""Figures of the search: how it went, and which of its choices mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flows.pages.figures import BLUE, GREEN, GREY, VERMILLION, Floats, frozen, percent

Role = Literal["default", "paper", "other"]


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One trial of the search.

    Attributes:
        number: Its number, from 0.
        objective: What it reached, or None where it failed.
        role: Whether it is the default detector, the paper's configuration or another one.
    """

    number: int
    objective: float | None
    role: Role = "other"


@dataclass(frozen=True, slots=True, eq=False)
class SearchTable:
    """The search as it went.

    Attributes:
        numbers: Trials that gave an objective, shape (k,).
        objectives: Shape (k,).
        best: Best so far, shape (k,).
        marked: Number and objective of the default and of the paper's configuration.
        failed: Trials without an objective.
    """

    numbers: Floats
    objectives: Floats
    best: Floats
    marked: Mapping[Role, tuple[float, float]]
    failed: int


def search_table(trials: Sequence[TrialPoint]) -> SearchTable:
    """The trials in order, with the best so far; higher objectives are better."""
    done = sorted((t.number, t.objective, t.role) for t in trials if t.objective is not None)
    values = np.array([objective for _, objective, _ in done], dtype=np.float64)
    marked: dict[Role, tuple[float, float]] = {
        role: (float(number), float(objective)) for number, objective, role in done[::-1]
        if role != "other"
    }  # fmt: skip
    return SearchTable(
        frozen(np.array([number for number, _, _ in done], dtype=np.float64)),
        frozen(values),
        frozen(np.maximum.accumulate(values) if len(values) else values),
        marked,
        len(trials) - len(done),
    )


def draw_search(table: SearchTable, axes: Axes, objective: str = "objective") -> None:
    """Draw every trial, the best so far, and the default and the paper's configuration."""
    axes.plot(table.numbers, table.objectives, "o", color=GREY, markersize=4, alpha=0.8)
    axes.step(table.numbers, table.best, where="post", color=BLUE, linewidth=1.6)
    looks = {"default": ("D", GREEN, "default"), "paper": ("s", VERMILLION, "the paper's")}
    for role, (number, value) in table.marked.items():
        marker, colour, label = looks[role]
        axes.plot([number], [value], marker, color=colour, markersize=8, label=label)
    if len(table.best):
        axes.plot([], [], color=BLUE, linewidth=1.6, label="best so far")
        axes.plot([], [], "o", color=GREY, markersize=4, label="other trials")
        axes.legend(frameon=False, fontsize=8.5, loc="lower right", ncols=2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True, axis="y", linewidth=0.6)
    axes.set_xlabel("trial")
    axes.set_ylabel(objective)


@dataclass(frozen=True, slots=True)
class ImportanceTable:
    """How much of the objective's variation each choice of the search explains.

    Attributes:
        names: Choices, the weightiest first.
        shares: Shares in [0, 1], falling.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]


def importance_table(importances: Mapping[str, float], most: int = 10) -> ImportanceTable:
    """The weightiest choices of the search."""
    ordered = sorted(importances.items(), key=lambda item: (-item[1], item[0]))[:most]
    return ImportanceTable(tuple(n for n, _ in ordered), tuple(float(v) for _, v in ordered))


def draw_importance(table: ImportanceTable, axes: Axes) -> None:
    """Draw one bar per choice, the weightiest on top."""
    rows = np.arange(len(table.names))[::-1]
    axes.barh(rows, table.shares, color=BLUE, height=0.6)
    for row, value in zip(rows, table.shares, strict=True):
        axes.annotate(
            percent(value),
            (value, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_yticks(rows, table.names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, max(table.shares, default=1.0) * 1.2 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.set_xlabel("share of the objective's variation")

"""The one place where time is taken: sides in turn, in one process, medians and spread.

The one law: what is compared is measured in one run, one side after the other, round by round, so
that a machine which slows down slows down both. Ratios are taken round by round.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Side = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        subject: The module that measured.
        name: What is compared, or the figure's name.
        value: Median of the ratio base / ours, or the figure itself.
        unit: ``"x"`` for a ratio, else the figure's unit.
        low: Smallest of the rounds.
        high: Largest of the rounds.
        wanted: What issue or page asks for, in words; empty where nothing is asked.
        more: Seconds per side and whatever else explains the figure.
    """

    subject: str
    name: str
    value: float
    unit: str
    low: float
    high: float
    wanted: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values


def seconds(side: Side) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


def in_turn(sides: Mapping[str, Side], rounds: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Seconds of every side in every round; a first round that pays for caches is not kept."""
    kept: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        for name, side in sides.items():
            spent = seconds(side)
            if number >= warm_up:
                kept[name].append(spent)
    return kept


def ratio(
    subject: str,
    name: str,
    sides: Mapping[str, Side],
    rounds: int,
    *,
    wanted: str = "",
    warm_up: bool = True,
    **more: Any,
) -> Row:
    """How many times faster the second side is than the first.

    Args:
        subject: The module that measures.
        name: What is compared.
        sides: The base, then ours.
        rounds: Rounds that count.
        wanted: What is asked for.
        warm_up: Whether a first round is thrown away.
        more: Kept beside the figure.
    """
    kept = in_turn(sides, rounds, warm_up)
    base, ours = (kept[name] for name in sides)
    ratios = [one / other for one, other in zip(base, ours, strict=True)]
    medians = {f"{side} s": round(statistics.median(spent), 4) for side, spent in kept.items()}
    return Row(
        subject, name, statistics.median(ratios), "x", min(ratios), max(ratios), wanted,
        {**medians, **more},
    )  # fmt: skip


def figure(
    subject: str, name: str, values: list[float], unit: str, *, wanted: str = "", **more: Any
) -> Row:
    """A figure that stands alone, from its rounds."""
    return Row(
        subject, name, statistics.median(values), unit, min(values), max(values), wanted, more
    )

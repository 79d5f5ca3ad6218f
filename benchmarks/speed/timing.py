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
    return measured(side)[0]


def measured(side: Side) -> tuple[float, float]:
    """Wall time of one call, and this process's processor time."""
    started, used = time.perf_counter(), time.process_time()
    side()
    return time.perf_counter() - started, time.process_time() - used


def in_turn(
    sides: Mapping[str, Side], rounds: int, warm_up: bool = True
) -> dict[str, list[tuple[float, float]]]:
    """Both times of every side in every round; a first round that pays for caches is not kept."""
    kept: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        for name, side in sides.items():
            spent = measured(side)
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
) -> Row:
    """How many times faster the second side is than the first.

    Args:
        subject: The module that measures.
        name: What is compared.
        sides: The base, then ours.
        rounds: Rounds that count.
        wanted: What is asked for.
        warm_up: Whether a first round is thrown away.

    Returns:
        The ratio of wall times; the ratio of processor times, which a busy machine moves less,
        and median seconds stand beside it.
    """
    kept = in_turn(sides, rounds, warm_up)
    base, ours = (kept[side] for side in sides)
    wall, used = (
        [one[kind] / other[kind] for one, other in zip(base, ours, strict=True)] for kind in (0, 1)
    )
    more = {"of processor time": round(statistics.median(used), 2)}
    for side, spent in kept.items():
        more[f"{side} s"] = round(statistics.median(pair[0] for pair in spent), 4)
    return Row(subject, name, statistics.median(wall), "x", min(wall), max(wall), wanted, more)


def figure(
    subject: str,
    name: str,
    values: list[float],
    unit: str,
    *,
    wanted: str = "",
    more: Mapping[str, float] | None = None,
) -> Row:
    """A figure that stands alone, from its rounds."""
    return Row(
        subject, name, statistics.median(values), unit, min(values), max(values), wanted, more or {}
    )

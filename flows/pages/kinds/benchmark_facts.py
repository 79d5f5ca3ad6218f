"""What a benchmark's page says, as plain facts; its people are drawn, so nothing is hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuni.statistics.intervals import Interval, Rate

LEAST_CAPTIONS = 5  # the headline is stated over members with at least so many pictures


@dataclass(frozen=True, slots=True)
class Lead:
    """Ours less another method, with the 95 % interval of a paired bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One method on one testbed.

    Attributes:
        seed: Of the testbed.
        captions: Its regime.
        method: The method's key.
        title: Its name.
        source: Where it comes from.
        rule: Its own rule.
        members: Members with at least `LEAST_CAPTIONS` pictures whom it was asked about.
        strangers: Strangers whom it was asked about.
        part: Whether it was asked about a part of the people alone.
        auc: Members against strangers.
        auc_interval: 95 %.
        auc_all_members: The same with all members, also those of 1 and 2 pictures.
        tpr: Members above a rate of strangers, or None where the strangers are too few.
        members_found: By the method's own rule.
        strangers_accused: By the method's own rule.
        hard_accused: Hard negatives accused by it.
        seconds: CPU seconds a subject, comparison texts included.
        pictures: Pictures of the person that it needs.
        known_nonmembers: Whether it needs people known not to be members.
        shadow_models: Models that it trains.
        lead_auc: Ours less this one; None for ours.
        lead_tpr_5: The same for the members found at 5 % of strangers.
        lead_pictured: Ours with pictures less this one, by AUC; None for methods without pictures.
    """

    seed: int
    captions: str
    method: str
    title: str
    source: str
    rule: str
    members: int
    strangers: int
    part: bool
    auc: float
    auc_interval: Interval
    auc_all_members: float
    tpr: tuple[tuple[float, Rate | None], ...]
    members_found: Rate
    strangers_accused: Rate
    hard_accused: Rate
    seconds: float
    pictures: int
    known_nonmembers: bool
    shadow_models: int
    lead_auc: Lead | None
    lead_tpr_5: Lead | None
    lead_pictured: Lead | None


@dataclass(frozen=True, slots=True)
class BenchmarkFacts:
    """A benchmark.

    Attributes:
        figures: One per testbed and method, at least one.
        pictures: Pictures of each person, for the methods that need some.
        testbeds: What each testbed was made from.
        kind: Tells this from what other pages say.
    """

    figures: tuple[Figures, ...]
    pictures: int
    testbeds: tuple[Mapping[str, Any], ...]  # Any: JSON values
    kind: Literal["benchmark"] = "benchmark"


TIES = (
    "Where strangers tie at the threshold, as votes do, the tie is divided by lot: a point on the "
    "ROC's segment."
)


def people_in(rows: Sequence[Figures]) -> str:
    """Whom the methods of one testbed were asked about, in a sentence."""
    whole = next((one for one in rows if not one.part), rows[0])
    return (
        f"{whole.members:,} members with at least {LEAST_CAPTIONS} pictures in training against "
        f"{whole.strangers:,} strangers."
    )


def title_of(one: Figures) -> str:
    """A method's name, and whom it was asked about where that is a part."""
    part = f" (asked about {one.members} members, {one.strangers} strangers)" if one.part else ""
    return one.title + part


def by_testbed(figures: Sequence[Figures]) -> dict[tuple[int, str], list[Figures]]:
    """Figures by seed and regime, best AUC first."""
    found: dict[tuple[int, str], list[Figures]] = {}
    for one in sorted(figures, key=lambda one: -one.auc):
        found.setdefault((one.seed, one.captions), []).append(one)
    return dict(sorted(found.items()))


def findings(figures: Sequence[Figures]) -> tuple[str, ...]:
    """Whom ours is ahead of and behind, methods of equal outcome in one sentence."""
    outcomes: dict[str, list[str]] = {}
    others = (one for one in figures if one.lead_auc is not None)
    for method in dict.fromkeys(one.method for one in others):
        rows = [one for one in figures if one.method == method]
        told = [
            f"{whose} {_outcome(leads)} by {name}"
            for whose, name, leads in (
                ("H is", "AUC", [one.lead_auc for one in rows]),
                ("it is", "members found at 5 % of strangers", [one.lead_tpr_5 for one in rows]),
                ("H with pictures is", "AUC", [one.lead_pictured for one in rows]),
            )
            if any(lead is not None for lead in leads)
        ]
        outcomes.setdefault("; ".join(told), []).append(rows[0].title)
    return tuple(f"Beside {', '.join(titles)}: {told}." for told, titles in outcomes.items())


def _outcome(leads: Sequence[Lead | None]) -> str:
    """On how many testbeds ours is ahead, behind or neither, what does not occur left out."""
    known = [lead for lead in leads if lead is not None]
    ahead = sum(lead.low > 0 for lead in known)
    behind = sum(lead.high < 0 for lead in known)
    counts = {"ahead": ahead, "behind": behind, "not told apart": len(known) - ahead - behind}
    beds = f"of {len(known)} testbed{'s' if len(known) > 1 else ''}"
    return ", ".join(f"{word} on {count} {beds}" for word, count in counts.items() if count)

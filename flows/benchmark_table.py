"""Figures of a benchmark from the scores of its methods, and the tables that show them.

The one law: no figure without its interval, and none finer than the non-members support.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuni.comparison import paired_auc_difference, paired_tpr_difference
from tuni.intervals import Interval, Rate, share
from tuni.peers import OURS, OURS_WITH_PICTURES, Peer
from tuni.roc import auc, auc_interval, tpr_at
from tuni.seeds import derive_seed
from tuni.table_writing import write_csv
from tuni.testbed.people import Person
from tuni.testbed.settings import TestbedSettings
from tuni.verdicts import Floats

LEAST_CAPTIONS = 5  # the headline is stated over members with at least so many pictures
RATES = (0.05, 0.01)
COLUMNS = (
    "seed", "captions", "method", "title", "members", "strangers", "auc", "auc_low", "auc_high",
    "auc_all_members", "tpr_5", "tpr_5_low", "tpr_5_high", "tpr_1", "tpr_1_low", "tpr_1_high",
    "own_rule", "members_found", "strangers_accused", "strangers_accused_low",
    "strangers_accused_high", "hard_accused", "seconds_per_subject", "pictures",
    "known_nonmembers", "shadow_models", "ours_minus_auc", "ours_minus_auc_low",
    "ours_minus_auc_high", "ours_minus_tpr_5", "ours_minus_tpr_5_low", "ours_minus_tpr_5_high",
    "pictured_minus_auc", "pictured_minus_auc_low", "pictured_minus_auc_high",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """What one method said about the people of one testbed.

    Attributes:
        scores: Of the people in `places_of` the method, higher is nearer to "trained on".
        accused: Of the same, by the method's own rule.
        seconds: CPU seconds a subject.
    """

    scores: Floats
    accused: NDArray[np.bool_]
    seconds: float


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


def places_of(peer: Peer, people: Sequence[Person], made_from: TestbedSettings) -> NDArray[np.intp]:
    """Which of the people a method is asked about."""
    groups = [person.group for person in people]
    return peer.places([person.text for person in people], groups, made_from.seed)


def figures_of(
    made_from: TestbedSettings,
    peers: Sequence[Peer],
    cells: Mapping[str, Cell],
    people: Sequence[Person],
    pictures: int,
) -> list[Figures]:
    """The figures of every method on one testbed.

    Args:
        made_from: The testbed.
        peers: The methods, ours among them.
        cells: What each said, by key.
        people: Who stands in which row of the cells.
        pictures: Pictures of each person.
    """
    groups = np.array([person.group for person in people])
    captions = np.array([person.captions for person in people])
    seed = derive_seed(made_from.seed, f"benchmark {made_from.captions}")
    pictured = cells.get(OURS_WITH_PICTURES)
    rows = []
    for peer in peers:
        cell, places = cells[peer.key], places_of(peer, people, made_from)
        group = groups[places]
        often = (group == "member") & (captions[places] >= LEAST_CAPTIONS)
        stranger, hard = group == "stranger", group == "hard"
        compared = often | stranger
        pos, neg = cell.scores[often], cell.scores[stranger]
        leads: tuple[Lead | None, Lead | None] = (None, None)
        lead_pictured = None
        if pictured is not None and peer.pictures and peer.key != OURS_WITH_PICTURES:
            rivals = (pictured.scores[places][compared], cell.scores[compared], often[compared])
            three = paired_auc_difference(*rivals, seed)
            lead_pictured = Lead(three.difference, three.low, three.high)
        if peer.key != OURS:
            both = (cells[OURS].scores[places][compared], cell.scores[compared], often[compared])
            one = paired_auc_difference(*both, seed)
            two = paired_tpr_difference(*both, RATES[0], seed)
            leads = (
                Lead(one.difference, one.low, one.high),
                Lead(two.difference, two.low, two.high),
            )
        rows.append(
            Figures(
                seed=made_from.seed,
                captions=made_from.captions,
                method=peer.key,
                title=peer.title,
                source=peer.source,
                rule=peer.rule,
                members=len(pos),
                strangers=len(neg),
                part=len(places) < len(people),
                auc=auc(pos, neg),
                auc_interval=auc_interval(pos, neg, seed),
                auc_all_members=auc(cell.scores[group == "member"], neg),
                tpr=tuple((rate, tpr_at(pos, neg, rate)) for rate in RATES),
                members_found=share(cell.accused[often]),
                strangers_accused=share(cell.accused[stranger]),
                hard_accused=share(cell.accused[hard]),
                seconds=cell.seconds,
                pictures=pictures if peer.pictures else 0,
                known_nonmembers=peer.known_strangers,
                shadow_models=peer.shadow_models,
                lead_auc=leads[0],
                lead_tpr_5=leads[1],
                lead_pictured=lead_pictured,
            )
        )
    return rows


def write_csv_table(figures: Sequence[Figures], path: Path) -> None:
    """One row for each testbed and method, numbers as they are."""
    write_csv(path, COLUMNS, [_flat(one) for one in figures])


def write_markdown(figures: Sequence[Figures]) -> str:
    """A table for each testbed, best AUC first, then who is ahead of ours."""
    lines = []
    for (seed, captions), rows in by_testbed(figures).items():
        lines += [
            f"### Seed {seed}, {captions} captions",
            "",
            f"{people_in(rows)} {TIES}",
            "",
            "| " + " | ".join(HEADS) + " |",
            "|" + "---|" * len(HEADS),
            *("| " + " | ".join(table_row(one)) + " |" for one in rows),
            "",
        ]
    lines += [f"- {line}" for line in findings(figures)]
    return "\n".join(lines) + "\n"


HEADS = (
    "method", "AUC (95 %)", "found at 5 % of strangers", "at 1 %", "own rule: members found",
    "strangers accused", "hard negatives accused", "CPU s a subject", "pictures",
    "shadow models", "H ahead: AUC", "found at 5 %", "H with pictures ahead: AUC",
)  # fmt: skip


TIES = (
    "Where strangers tie at the threshold, as votes do, the tie is divided by lot: a point on the "
    "ROC's segment."
)


def people_in(rows: Sequence[Figures]) -> str:
    """Whom the methods of one testbed were asked about, in a sentence."""
    whole = next((one for one in rows if not one.part), rows[0])
    return (
        f"{whole.members} members with at least {LEAST_CAPTIONS} pictures in training against "
        f"{whole.strangers} strangers."
    )


def table_row(one: Figures) -> tuple[str, ...]:
    """The cells of one method, in words."""
    part = f" (asked about {one.members} members, {one.strangers} strangers)" if one.part else ""
    return (
        one.title + part + (" *" if one.known_nonmembers else ""),
        f"{one.auc:.3f} ({one.auc_interval.low:.3f}-{one.auc_interval.high:.3f})",
        *(_rate(rate) for _at, rate in one.tpr),
        _rate(one.members_found),
        _rate(one.strangers_accused),
        _rate(one.hard_accused),
        f"{one.seconds:.3f}",
        str(one.pictures),
        str(one.shadow_models),
        _lead(one.lead_auc),
        _lead(one.lead_tpr_5),
        _lead(one.lead_pictured),
    )


def by_testbed(figures: Sequence[Figures]) -> dict[tuple[int, str], list[Figures]]:
    """Figures by seed and regime, best AUC first."""
    found: dict[tuple[int, str], list[Figures]] = {}
    for one in sorted(figures, key=lambda one: -one.auc):
        found.setdefault((one.seed, one.captions), []).append(one)
    return dict(sorted(found.items()))


def findings(figures: Sequence[Figures]) -> tuple[str, ...]:
    """Whom ours is ahead of and behind, methods of equal outcome in one sentence."""
    outcomes: dict[str, list[str]] = {}
    for method in dict.fromkeys(one.method for one in figures if one.method != OURS):
        rows = [one for one in figures if one.method == method]
        told = [
            f"{name}: {_outcome(leads)}"
            for name, leads in (
                ("AUC", [one.lead_auc for one in rows]),
                ("found at 5 % of strangers", [one.lead_tpr_5 for one in rows]),
                ("AUC of ours with pictures", [one.lead_pictured for one in rows]),
            )
            if any(lead is not None for lead in leads)
        ]
        outcomes.setdefault("; ".join(told), []).append(rows[0].title)
    return tuple(f"Ours beside {', '.join(titles)}. {told}." for told, titles in outcomes.items())


def _outcome(leads: Sequence[Lead | None]) -> str:
    """On how many testbeds ours is ahead, behind or neither, what does not occur left out."""
    known = [lead for lead in leads if lead is not None]
    ahead = sum(lead.low > 0 for lead in known)
    behind = sum(lead.high < 0 for lead in known)
    counts = {"ahead": ahead, "behind": behind, "not told apart": len(known) - ahead - behind}
    return ", ".join(f"{word} on {count}" for word, count in counts.items() if count)


def _flat(one: Figures) -> dict[str, object]:
    (_, five), (_, one_percent) = one.tpr
    auc_lead, tpr_lead = one.lead_auc, one.lead_tpr_5
    values: dict[str, object] = {
        "seed": one.seed,
        "captions": one.captions,
        "method": one.method,
        "title": one.title,
        "members": one.members,
        "strangers": one.strangers,
        "auc": one.auc,
        "auc_low": one.auc_interval.low,
        "auc_high": one.auc_interval.high,
        "auc_all_members": one.auc_all_members,
        "own_rule": one.rule,
        "members_found": one.members_found.value,
        "strangers_accused": one.strangers_accused.value,
        "strangers_accused_low": one.strangers_accused.low,
        "strangers_accused_high": one.strangers_accused.high,
        "hard_accused": one.hard_accused.value,
        "seconds_per_subject": one.seconds,
        "pictures": one.pictures,
        "known_nonmembers": int(one.known_nonmembers),
        "shadow_models": one.shadow_models,
    }
    for name, rate in (("tpr_5", five), ("tpr_1", one_percent)):
        if rate is not None:
            values |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
    for name, lead in (
        ("ours_minus_auc", auc_lead),
        ("ours_minus_tpr_5", tpr_lead),
        ("pictured_minus_auc", one.lead_pictured),
    ):
        if lead is not None:
            values |= {name: lead.value, f"{name}_low": lead.low, f"{name}_high": lead.high}
    return values


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "too few"
    return f"{rate.value:.2f} ({rate.low:.2f}-{rate.high:.2f})"


def _lead(lead: Lead | None) -> str:
    return "" if lead is None else f"{lead.value:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})"

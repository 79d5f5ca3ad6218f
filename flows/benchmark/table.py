"""Figures of a benchmark from the scores of its methods, and the tables that show them.

The one law: no figure without its interval, and none finer than the non-members support.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.pages.kinds.benchmark_facts import (
    LEAST_CAPTIONS,
    TIES,
    Figures,
    Lead,
    by_testbed,
    findings,
    people_in,
    title_of,
)
from tuni.bench.peers import OURS, OURS_WITH_PICTURES, Peer
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings
from tuni.hashing import derive_seed
from tuni.lists.writing import write_csv
from tuni.statistics.comparison import (
    PairedDifference,
    paired_auc_difference,
    paired_tpr_difference,
)
from tuni.statistics.intervals import Rate, share
from tuni.statistics.p_values import Floats
from tuni.statistics.roc import auc, auc_interval, tpr_at

RATES = (0.05, 0.01)


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
        lead_auc = lead_tpr_5 = lead_pictured = None
        rival = (cell.scores[compared], often[compared])
        if pictured is not None and peer.pictures and peer.key != OURS_WITH_PICTURES:
            ours = pictured.scores[places][compared]
            lead_pictured = _ahead(paired_auc_difference(ours, *rival, seed))
        if peer.key != OURS:
            ours = cells[OURS].scores[places][compared]
            lead_auc = _ahead(paired_auc_difference(ours, *rival, seed))
            lead_tpr_5 = _ahead(paired_tpr_difference(ours, *rival, RATES[0], seed))
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
                lead_auc=lead_auc,
                lead_tpr_5=lead_tpr_5,
                lead_pictured=lead_pictured,
            )
        )
    return rows


def _ahead(found: PairedDifference) -> Lead:
    return Lead(found.difference, found.low, found.high)


def write_csv_table(figures: Sequence[Figures], path: Path) -> None:
    """One row for each testbed and method, numbers as they are."""
    rows = [_flat(one) for one in figures]
    write_csv(path, tuple(rows[0]), rows)


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


def table_row(one: Figures) -> tuple[str, ...]:
    """The cells of one method, in words."""
    return (
        title_of(one) + (" *" if one.known_nonmembers else ""),
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


def _flat(one: Figures) -> dict[str, object]:
    (_, five), (_, one_percent) = one.tpr
    return {
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
        **_ends("tpr_5", five),
        **_ends("tpr_1", one_percent),
        "own_rule": one.rule,
        "members_found": one.members_found.value,
        **_ends("strangers_accused", one.strangers_accused),
        "hard_accused": one.hard_accused.value,
        "seconds_per_subject": one.seconds,
        "pictures": one.pictures,
        "known_nonmembers": int(one.known_nonmembers),
        "shadow_models": one.shadow_models,
        **_ends("ours_minus_auc", one.lead_auc),
        **_ends("ours_minus_tpr_5", one.lead_tpr_5),
        **_ends("pictured_minus_auc", one.lead_pictured),
    }


def _ends(name: str, figure: Rate | Lead | None) -> dict[str, float | None]:
    """A figure with the ends of its interval; empty cells where there is none."""
    keys = (name, f"{name}_low", f"{name}_high")
    values = (None,) * 3 if figure is None else (figure.value, figure.low, figure.high)
    return dict(zip(keys, values, strict=True))


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "too few"
    return f"{rate.value:.2f} ({rate.low:.2f}-{rate.high:.2f})"


def _lead(lead: Lead | None) -> str:
    return "" if lead is None else f"{lead.value:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})"

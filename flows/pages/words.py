"""Evidence about a whole list in words: for its owner, and for others with small counts hidden."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuni.statistics.p_values import accused_once
from tuni.statistics.suppression import SMALLEST_SHARED, shared_part

if TYPE_CHECKING:  # a page is rendered without the rooms that judge
    from tuni.statistics.list_evidence import ListEvidence


Shares = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class SharedEvidence:
    """Evidence about a list as others may read it.

    Attributes:
        at_least: Lower 95 % bound on the names that the model knows; None below five.
        stranger_fpr: Share of strangers that the bound lets have a finding.
        known_nonmembers: Known non-members that it was measured on; 0 where it is stated.
        seen: Share of the list that the model treats as known, in whole percent; None where it
            stands for fewer than five people on either side.
        seen_low: Lower end of its 95 % interval.
        seen_high: Upper end.
        selected_on: Whether further names were left out for having taken part in choosing the
            detector.
    """

    at_least: int | None
    stranger_fpr: float
    known_nonmembers: int
    seen: float | None
    seen_low: float | None
    seen_high: float | None
    selected_on: bool = False

    @classmethod
    def of(cls, evidence: "ListEvidence | None") -> "SharedEvidence | None":
        """Hide what must not be told; None where there is no evidence."""
        if evidence is None:
            return None
        seen = (evidence.seen, evidence.seen_low, evidence.seen_high)
        if shared_part(round(evidence.seen * evidence.texts), evidence.texts) is None:
            shares: Shares = (None, None, None)
        else:
            shares = (round(seen[0], 2), round(seen[1], 2), round(seen[2], 2))
        return cls(
            evidence.at_least if evidence.at_least >= SMALLEST_SHARED else None,
            evidence.stranger_fpr,
            evidence.known_nonmembers,
            *shares,
            evidence.selected_on > 0,
        )


def member_words(evidence: "ListEvidence | None") -> list[str]:
    """Some lines for those who may see the verdicts of a list."""
    if evidence is None:
        return [
            f"nothing is said of the list as a whole: no name was judged but those that {_CHOSE}"
        ]
    lines = [
        _bound(evidence, f"{evidence.at_least:,}"),
        _seen(evidence.seen, evidence.seen_low, evidence.seen_high),
    ]
    if evidence.selected_on:
        lines.append(f"left out of both: {evidence.selected_on:,} names that {_CHOSE}; {_Q}")
    return lines


def shared_member_words(evidence: SharedEvidence | None) -> list[str]:
    """The same for shared places."""
    if evidence is None:
        return []
    lines = [
        f"Names on the list that the model knows: no bound of {SMALLEST_SHARED} or more."
        if evidence.at_least is None
        else f"{_bound(evidence, f'{evidence.at_least:,}')}."
    ]
    if None not in (shares := (evidence.seen, evidence.seen_low, evidence.seen_high)):
        lines.append(f"{_seen(*(share or 0.0 for share in shares))}.")
    if evidence.selected_on:
        lines.append(f"left out of these: names that {_CHOSE}; {_Q}.")
    return [line[0].upper() + line[1:] for line in lines]


def shared_evidence(evidence: SharedEvidence | None) -> dict[str, float]:
    """Figures by MLflow name."""
    if evidence is None:
        return {}
    figures = {
        "list_nonmember_fpr_allowed": evidence.stranger_fpr,
        "list_names_known_at_least": evidence.at_least,
        "list_seen_share": evidence.seen,
        "list_seen_share_low": evidence.seen_low,
        "list_seen_share_high": evidence.seen_high,
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def series_words(audits: int, operating_point: float) -> list[str]:
    """What several audits of one list come to for a stranger; nothing for the first."""
    if audits == 1:
        return []
    once = _percent(round(accused_once(audits, operating_point), 2))
    return [
        f"audit {audits:,} of this list by this checkpoint: a stranger has a finding in at least "
        f"one of them in {once} of cases if scores correlate by .8, in {_percent(operating_point)} "
        "in one; the exported p_series takes all audits together"
    ]


_CHOSE = "took part in choosing the detector (flag selected_on)"
_Q = "q-values count them, so a q of this list is more optimistic than it says"


def _bound(evidence: "ListEvidence | SharedEvidence", count: str) -> str:
    most = _percent(evidence.stranger_fpr)
    if evidence.known_nonmembers:
        why = f"the most that {evidence.known_nonmembers:,} known non-members allow"
    else:
        why = "a stated allowance, since no known non-members measured it"
    return (
        f"names on the list that the model knows, by their own or a namesake's data: at least "
        f"{count} (95 %), if of unknown names {most} may get the first verdict, {why}"
    )


def _seen(seen: float, low: float, high: float) -> str:
    return (
        f"share of the list that the model treats as known: {_percent(seen)} "
        f"(95 % interval {_percent(low)} to {_percent(high)})"
    )


def _percent(share: float) -> str:
    # As `flows.pages.figures.percent` for these shares; a list's score has no need of matplotlib.
    return f"{100.0 * share:.1f}".removesuffix(".0") + " %"

"""What an audit's page says, as plain facts for others: small counts are hidden already here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from flows.pages.figures import percent
from flows.pages.words import SharedEvidence, series_words, shared_member_words
from tuni.statistics.p_values import EVIDENCE
from tuni.statistics.suppression import (
    SMALLEST_SHARED,
    Told,
    hidden_bins,
    shared_count,
    shared_part,
    told_words,
)

if TYPE_CHECKING:  # a page is rendered without the rooms that judge
    from flows.auditing.outcome import AuditSummary
    from registry.audits.audits import Audit

BINS = 20


@dataclass(frozen=True, slots=True)
class PValueTable:
    """Shares of a list by p-value, in bins of equal width.

    Attributes:
        shares: Share of the list in each bin from 0 to 1; None where it must not be told.
        expected: Share in each bin were nobody in the training data.
    """

    shares: tuple[float | None, ...]
    expected: float


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """An audit as others may read it.

    Attributes:
        audit: Its id.
        watchlist: Name of the list.
        checkpoint: Name of the audited checkpoint.
        fingerprint: SHA-256 of its weights and settings.
        version: Version of the detector.
        state: ``done`` or ``partial``.
        ended: When, UTC, as it shall stand there.
        subjects: How many the list held.
        judged: How many have a verdict.
        missing: How many could be scored and have none.
        operating_point: p at or below which a text gets a finding.
        by_chance: Findings to be expected were none of the list in the training data.
        smallest_findable: Texts that must have the smallest p for any to be singled out.
        list_decoys: Decoys recombined from the list.
        measured_power: Share of known members found, in words, or None where unmeasured.
        withheld: Why no verdict is given, or None.
        found: How many have a finding; None where verdicts are withheld.
        singled_out: How many of them over the whole list.
        evidence: About the list as a whole, or None.
        p_values: Of the list, or None where it is too short.
        series: Audits of the list by this checkpoint's detectors so far.
        kind: Tells this from what other pages say.
    """

    audit: str
    watchlist: str
    checkpoint: str
    fingerprint: str
    version: int
    state: str
    ended: str
    subjects: int
    judged: Told
    missing: Told
    operating_point: float
    by_chance: int
    smallest_findable: int
    list_decoys: int
    measured_power: str | None
    withheld: str | None = None
    found: Told | None = None
    singled_out: Told | None = None
    evidence: SharedEvidence | None = None
    p_values: PValueTable | None = None
    series: int = 1
    kind: Literal["audit"] = "audit"

    @classmethod
    def of(
        cls, audit: "Audit", summary: "AuditSummary", levels: Mapping[float, int]
    ) -> "AuditFacts":
        """Hide what must not be told.

        Args:
            audit: What was done.
            summary: What came of it.
            levels: How many subjects have which p-value; none leaves their picture out.
        """
        whole = summary.subjects
        judged = whole if summary.judged == whole else shared_count(summary.judged, whole)
        shown = summary.withheld is None
        long = shown and len(levels) > 0 and summary.judged >= BINS * SMALLEST_SHARED
        return cls(
            audit=audit.id,
            watchlist=audit.watchlist,
            checkpoint=audit.checkpoint,
            fingerprint=audit.fingerprint,
            version=audit.version,
            state=audit.state,
            ended=f"{audit.ended_at or datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            subjects=whole,
            judged=judged,
            missing=_missing(summary),
            operating_point=summary.operating_point,
            # Exact, it would tell how many were judged.
            by_chance=round(
                summary.operating_point * (judged if isinstance(judged, int) else whole)
            ),
            smallest_findable=summary.smallest_findable,
            list_decoys=summary.list_decoys,
            measured_power=summary.measured_power,
            withheld=summary.withheld,
            found=shared_count(summary.found, summary.judged) if shown else None,
            # Who is singled out is found as well: the difference is a count too.
            singled_out=shared_count(summary.singled_out, summary.found) if shown else None,
            evidence=SharedEvidence.of(summary.evidence),
            p_values=p_value_table(levels) if long else None,
            series=summary.series,
        )


def _missing(summary: "AuditSummary") -> Told:
    if not summary.missing:
        return 0
    refused = summary.subjects - summary.judged - summary.missing  # it follows from the two
    told = shared_part(summary.missing, summary.subjects)
    return "some" if told is None or 0 < refused < SMALLEST_SHARED else told


def p_value_table(levels: Mapping[float, int]) -> PValueTable:
    """Bin the p-values of a list.

    Args:
        levels: How many subjects have which p-value.
    """
    p = np.array(list(levels), dtype=np.float64)
    counts, _ = np.histogram(p, BINS, (0.0, 1.0), weights=np.array(list(levels.values())))
    hidden = hidden_bins(counts.astype(np.int64))
    shares = (counts / counts.sum()).tolist()
    return PValueTable(
        tuple(None if hide else share for hide, share in zip(hidden, shares, strict=True)),
        1 / BINS,
    )


def findings(facts: AuditFacts) -> tuple[str, ...]:
    """The audit in sentences."""
    judged = f"{told_words(facts.judged)} of {facts.subjects:,} subjects have a verdict."
    if not isinstance(facts.judged, int):
        judged = f"{facts.judged} of the subjects have a verdict."
        judged = judged[0].upper() + judged[1:]
    elif facts.judged == facts.subjects:
        judged = f"All {facts.subjects:,} subjects have a verdict."
    lines = [judged]
    if facts.missing:
        missing = told_words(facts.missing)
        lines.append(f"The audit is partial: {missing} could be scored, but their shards failed.")
    if facts.found is None or facts.singled_out is None:
        return tuple(lines)
    point = percent(facts.operating_point)
    return (
        *lines,
        f"{EVIDENCE.capitalize()}: {told_words(facts.found)}. Were none of them in the training "
        f"data, about {facts.by_chance} would get this verdict by chance ({point}).",
        f"Singled out over the whole list (q at most {point}): {told_words(facts.singled_out)} of "
        f"them. This is possible where {facts.smallest_findable} texts, members or not, have the "
        "smallest p.",
        *shared_member_words(facts.evidence),
        *(f"A{line[1:]}." for line in series_words(facts.series, facts.operating_point)),
    )

"""What an audit came to: aggregates only, for the terminal, MLflow and the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from flows.pages.words import member_words, series_words
from registry.audits.audits import Audit
from tuni.detectors.bundle import Bundle
from tuni.errors import RequestError
from tuni.judging.null import evidence_of_list
from tuni.judging.record import measured_power
from tuni.statistics.list_evidence import ListEvidence
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE

if TYPE_CHECKING:
    from tuni.judging.null import ListNull


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """The aggregates of an audit.

    Attributes:
        subjects: How many the list held when the audit began.
        judged: How many have a p-value.
        refused: How many could not be scored, by reason.
        missing: How many have no verdict although they could be scored.
        found: How many have a p-value at or below the operating point.
        singled_out: How many have a q-value at or below the operating point.
        operating_point: p at or below which a text gets a finding.
        smallest_findable: Members that the list must hold for any q to fall to .05.
        list_decoys: Decoys recombined from the list.
        withheld: Why no verdict is given, or None.
        measured_power: Share of known members found, in words, or None where unmeasured.
        evidence: About the list as a whole; None where verdicts are withheld.
        series: Audits of the list by this checkpoint's detectors so far, this one included.
    """

    subjects: int
    judged: int
    refused: Mapping[str, int]
    missing: int
    found: int
    singled_out: int
    operating_point: float
    smallest_findable: int
    list_decoys: int
    withheld: str | None
    measured_power: str | None
    evidence: ListEvidence | None = None
    series: int = 1

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:  # Any: JSON values
        """From what `record` gave."""
        evidence = kept.get("evidence")
        return cls(**{**kept, "evidence": evidence and ListEvidence(**evidence)})

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        null: "ListNull",
        *,
        subjects: int,
        levels: Mapping[float, int],
        selected_on: Mapping[float, int],
        q_values: Mapping[float, float],
        refused: Mapping[str, int],
        series: int,
    ) -> "AuditSummary":
        """Count what the p-values of a list come to; see `evidence_of_list`."""
        point = bundle.operating_point
        judged = sum(levels.values())
        return cls(
            subjects=subjects,
            judged=judged,
            refused=dict(refused),
            missing=subjects - judged - sum(refused.values()),
            found=sum(count for p, count in levels.items() if p <= point),
            singled_out=sum(count for p, count in levels.items() if q_values[p] <= point),
            operating_point=point,
            smallest_findable=null.smallest_findable,
            list_decoys=null.decoys,
            withheld=null.withheld,
            measured_power=measured_power(bundle),
            evidence=evidence_of_list(bundle, null, levels, selected_on),
            series=series,
        )

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """As JSON."""
        return asdict(self)

    @property
    def by_chance(self) -> float:
        """Findings to be expected were none of the list in the training data."""
        return self.operating_point * self.judged


def ended_summary(audit: Audit) -> AuditSummary:
    """The aggregates of an audit that has ended.

    Raises:
        RequestError: It has not.
    """
    if audit.summary is None:
        raise RequestError(
            f"audit {audit.id}: is {audit.state}, it has not ended",
            f"tuni audits resume {audit.id}",
        )
    return AuditSummary.read(audit.summary)


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """An audit and what it came to.

    Attributes:
        audit: The audit.
        summary: Its aggregates, or None where it has not ended.
    """

    audit: Audit
    summary: AuditSummary | None

    @classmethod
    def of(cls, audit: Audit) -> "AuditOutcome":
        """From the ledger's entry."""
        kept = audit.summary
        return cls(audit, None if kept is None else AuditSummary.read(kept))

    @property
    def withheld(self) -> str | None:
        """Why no verdict is given, or None."""
        return self.summary.withheld if self.summary else None

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; holds no text of the list."""
        return self.audit.record()

    def line(self) -> str:
        """One line of a table."""
        audit, told = self.audit, self.summary
        found = "-" if told is None or told.withheld else f"{told.found:,}"
        return (
            f"{audit.id:<13} {audit.created_at:%Y-%m-%d %H:%M}  {audit.state:<10} {found:>7} "
            f"{audit.subjects:>9,}  {audit.watchlist} by {audit.checkpoint} v{audit.version}"
        )

    def text(self) -> str:
        """A few lines for people."""
        audit, summary = self.audit, self.summary
        lines = [
            f"audit {audit.id}: {audit.state}; watch list {audit.watchlist} "
            f"({audit.subjects:,} subjects), {audit.checkpoint} version {audit.version}"
        ]
        if summary is None:
            return "\n".join([*lines, f"  go on with: tuni audits resume {audit.id}"])
        if summary.withheld:
            lines.append(f"  verdicts withheld: {summary.withheld}")
        else:
            lines += [
                f"  {EVIDENCE}: {summary.found:,}",
                f"  {NO_EVIDENCE}: {summary.judged - summary.found:,}",
                f"  at p <= {summary.operating_point:g}: were none of them in the training data, "
                f"about {summary.by_chance:.0f} would get the first verdict by chance",
                f"  singled out over the whole list (q <= {summary.operating_point:g}): "
                f"{summary.singled_out:,}; possible where "
                f"{summary.smallest_findable} texts, members or not, have the smallest p",
                *(f"  {line}" for line in member_words(summary.evidence)),
                "  known members found at this point: "
                f"{summary.measured_power or 'not measured (no labels)'}",
                *(f"  {line}" for line in series_words(summary.series, summary.operating_point)),
            ]
        lines += [f"  not scored: {count:,}, {why}" for why, count in summary.refused.items()]
        if summary.missing:
            lines.append(
                f"  NO VERDICT: {summary.missing:,} subjects, whose shards failed (see logs/); "
                f"try again: tuni audits resume {audit.id}"
            )
        lines += [
            "  A verdict is about the text, not the person: a namesake makes a name known.",
            f"  verdicts by name: tuni audits export {audit.id} --out verdicts.csv",
        ]
        return "\n".join(lines)

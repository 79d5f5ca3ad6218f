"""An audit's verdicts by name, for the auditor's own eyes, and its report without names."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from flows.auditing.outcome import AuditSummary, ended_summary
from flows.auditing.publish import audit_evidence
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.publish import write_report
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows, Finding
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.files import check_outputs
from tuni.judging.record import COLUMNS, Grounds, Judged
from tuni.lists.writing import write_csv
from tuni.statistics.p_values import series_p

SERIES_COLUMNS = ("p_series", "audits")
_BLOCK = 2000


def export_audit(
    audit_id: str,
    settings: Settings,
    *,
    out: Path,
    report: Path | None = None,
    evidence: Path | None = None,
) -> int:
    """Write the verdicts of an ended audit; how many subjects there are.

    Args:
        audit_id: The audit.
        settings: Of this machine.
        out: CSV of the verdicts by name.
        report: Page without names, or None.
        evidence: All that the page says as a file, or None.

    Raises:
        AuditNotFound: There is none of this id.
        RequestError: It has not ended, or the file cannot be written there.
    """
    check_outputs(out=out, report=report, evidence=evidence)
    with open_ledger(settings) as ledger:
        audit = Audits(ledger).get(audit_id)
        summary = ended_summary(audit)
        rows = AuditRows(ledger, audit_id)
        count = rows.counts()[1]
        lines = _lines(audit, summary, _with_series(ledger, audit, rows.findings()))
        write_csv(out, (*COLUMNS, *SERIES_COLUMNS), lines)
        if report is not None or evidence is not None:
            write_report(audit_evidence(ledger, audit), evidence, report)
        Trail(ledger).append("audit exported", audit=audit_id, subjects=count)
        return count


def _lines(
    audit: Audit, summary: AuditSummary, findings: Iterator[tuple[Finding, list[float]]]
) -> Iterator[dict[str, object]]:
    grounds = Grounds(
        summary.operating_point,
        summary.withheld,
        summary.measured_power,
        str(audit.version),
        audit.fingerprint,
    )
    for finding, series in findings:
        kept = finding.verdict
        line: dict[str, object] = {"text": finding.text, "error": kept.refused}
        if kept.score is not None and kept.p_decoy is not None and kept.p_gibberish is not None:
            flags = kept.flags.split()
            judged = Judged(kept.score, kept.p_decoy, kept.p_gibberish, flags)
            line |= grounds.record(judged, finding.q_value)
            if not summary.withheld:
                (p,) = series_p([sum(series) / len(series)], len(series)).tolist()
                line |= dict(zip(SERIES_COLUMNS, (p, len(series)), strict=True))
        yield line


def _with_series(
    ledger: Ledger, audit: Audit, findings: Iterator[Finding]
) -> Iterator[tuple[Finding, list[float]]]:
    """Each verdict with the p-values that its subject has in this audit and those before it."""
    series = [AuditRows(ledger, one.id) for one in Audits(ledger).series(audit)]
    while block := list(islice(findings, _BLOCK)):
        numbers = [finding.verdict.subject for finding in block]
        kept = [rows.kept_verdicts(numbers) for rows in series]
        for finding in block:
            theirs = (one.get(finding.verdict.subject) for one in kept)
            yield finding, [one.p_decoy for one in theirs if one and one.p_decoy is not None]

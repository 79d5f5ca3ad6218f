"""An audit's verdicts by name, for the auditor's own eyes, and its report without names."""

from collections.abc import Iterator
from pathlib import Path

from flows.auditing.outcome import AuditSummary, ended_summary
from flows.auditing.publish import audit_evidence
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.publish import write_report
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows, Finding
from registry.ledger.trail import Trail
from tuni.files import check_outputs
from tuni.judging.record import COLUMNS, Grounds, Judged
from tuni.lists.writing import write_csv


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
        write_csv(out, tuple(COLUMNS), _lines(audit, summary, rows.findings()))
        if report is not None or evidence is not None:
            write_report(audit_evidence(ledger, audit), evidence, report)
        Trail(ledger).append("audit exported", audit=audit_id, subjects=count)
        return count


def _lines(
    audit: Audit, summary: AuditSummary, findings: Iterator[Finding]
) -> Iterator[dict[str, object]]:
    grounds = Grounds(
        summary.operating_point,
        summary.withheld,
        summary.measured_power,
        str(audit.version),
        audit.fingerprint,
    )
    for finding in findings:
        kept = finding.verdict
        line: dict[str, object] = {"text": finding.text, "error": kept.refused}
        if kept.score is not None and kept.p_decoy is not None and kept.p_gibberish is not None:
            flags = kept.flags.split()
            judged = Judged(kept.score, kept.p_decoy, kept.p_gibberish, flags)
            line |= grounds.record(judged, finding.q_value)
        yield line

"""An audit's verdicts by name, for the auditor's own eyes, and its report without names."""

from collections.abc import Iterator
from pathlib import Path

from flows.auditing.outcome import AuditSummary
from flows.auditing.publish import audit_evidence
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.publish import write_report
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows, Finding
from registry.ledger.trail import Trail
from tuni.errors import RequestError
from tuni.files import check_outputs
from tuni.lists.writing import write_csv
from tuni.statistics.p_values import WITHHELD, verdict_words

COLUMNS = (
    "text", "score", "p_decoy", "p_gibberish", "q_value", "verdict", "operating_point",
    "measured_power", "flags", "model_version", "fingerprint", "error",
)  # fmt: skip


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
        if audit.summary is None:
            raise RequestError(
                f"audit {audit_id}: is {audit.state}, it has not ended",
                f"tuni audits resume {audit_id}",
            )
        summary = AuditSummary.read(audit.summary)
        rows = AuditRows(ledger, audit_id)
        count = rows.counts()[1]
        write_csv(out, COLUMNS, _lines(audit, summary, rows.findings()))
        if report is not None or evidence is not None:
            write_report(audit_evidence(ledger, audit), evidence, report)
        Trail(ledger).append("audit exported", audit=audit_id, subjects=count)
        return count


def _lines(
    audit: Audit, summary: AuditSummary, findings: Iterator[Finding]
) -> Iterator[dict[str, object]]:
    for found in findings:
        kept = found.verdict
        line: dict[str, object] = {"text": found.text, "error": kept.refused}
        if kept.p_decoy is not None and kept.score is not None:
            words = verdict_words([kept.p_decoy], summary.operating_point)[0]
            alone = "one_part" in kept.flags.split()
            line |= {
                "score": kept.score,
                "p_decoy": None if summary.withheld else kept.p_decoy,
                "p_gibberish": kept.p_gibberish,
                "q_value": None if summary.withheld else found.q_value,
                "verdict": WITHHELD if summary.withheld else words,
                "operating_point": summary.operating_point,
                "measured_power": "not measured" if alone else summary.measured_power,
                "flags": kept.flags,
                "model_version": audit.version,
                "fingerprint": audit.fingerprint,
            }
        yield line

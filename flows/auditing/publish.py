"""What an audit shows to others: MLflow's run, the evidence file and its page."""

from collections.abc import Mapping
from typing import Any

from flows.auditing.outcome import AuditSummary
from flows.job.folder import EVIDENCE, REPORT
from flows.machine.settings import Settings
from flows.pages.evidence import Evidence, evidence_text, library_versions
from flows.pages.kinds.audit_facts import AuditFacts, findings
from flows.pages.render import render_evidence
from flows.pages.words import shared_evidence
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun, code_commit
from tuni import __version__
from tuni.errors import RequestError

_ENDS = {"": "value", "_low": "low", "_high": "high"}


def publish(ledger: Ledger, settings: Settings, audit: Audit, detector: Detector) -> None:
    """Log an ended audit to MLflow: figures, report, and where the trail ended.

    Raises:
        TrackingError: MLflow does not answer; the audit itself is kept, and `tuni audits resume`
            publishes it later.
    """
    evidence, facts = _evidence(ledger, audit)
    labels = JobLabels(
        job=audit.id,
        name=f"audit {audit.watchlist} by {audit.checkpoint} v{audit.version} ({audit.id})",
        checkpoint=audit.checkpoint,
        fingerprint=audit.fingerprint,
        spec=detector.bundle.feature_spec.hash,
        version=__version__,
        commit=code_commit(),
        kind="audit",
        began=audit.created_at,
    )
    with JobRun.open(configure(ledger.home, settings.runs_uri), labels) as run:
        run.set_tags({"watchlist": audit.watchlist, "state": audit.state})
        run.log_params(
            {
                "watchlist": audit.watchlist,
                "detector_version": audit.version,
                "detector_digest": audit.digest,
                "operating_point": facts.operating_point,
                **{name: "default" if v is None else v for name, v in audit.options.items()},
            }
        )
        run.log_metrics(audit_metrics(facts) | _measured(detector.bundle.evidence))
        run.log_text(EVIDENCE, evidence_text(evidence))
        run.log_text(REPORT, render_evidence(evidence))
        run.set_note(*findings(facts))
        run.set_tags({"trail_head": str(Trail(ledger).head())})
        Audits(ledger).keep_run(audit.id, run.run_id)


def audit_evidence(ledger: Ledger, audit: Audit) -> Evidence:
    """All that others may know of an ended audit.

    Raises:
        RequestError: It has not ended.
    """
    return _evidence(ledger, audit)[0]


def audit_metrics(facts: AuditFacts) -> dict[str, float]:
    """Figures by MLflow name; what must not be told is left out."""
    values: dict[str, float] = {
        "list_subjects": facts.subjects,
        "list_expected_by_chance": facts.by_chance,
        "list_smallest_findable": facts.smallest_findable,
        "list_decoys": facts.list_decoys,
        "withheld": float(facts.withheld is not None),
    }
    for name, count in (("found", facts.found), ("singled_out", facts.singled_out)):
        if isinstance(count, int):
            values[f"list_{name}"] = count
            if isinstance(facts.judged, int) and facts.judged:
                values[f"list_{name}_share"] = count / facts.judged
    return values | shared_evidence(facts.evidence)


def _measured(known: Mapping[str, Any]) -> dict[str, float]:  # Any: JSON values
    """What the detector's own evaluation says of it, beside what it found here."""
    names = {"test_found": "found", "nonmember_fpr": "nonmember_fpr"}
    figures: dict[str, float] = {}
    for name, key in names.items():
        if rate := known.get(key):
            figures |= {f"{name}{end}": rate[of] for end, of in _ENDS.items()}
    return figures


def _evidence(ledger: Ledger, audit: Audit) -> tuple[Evidence, AuditFacts]:
    if audit.summary is None:
        raise RequestError(
            f"audit {audit.id}: is {audit.state}, it has not ended",
            f"tuni audits resume {audit.id}",
        )
    rows = AuditRows(ledger, audit.id)
    levels = {p: count for p, (count, _) in rows.kept_levels().items()}
    facts = AuditFacts.of(audit, AuditSummary.read(audit.summary), levels)
    evidence = Evidence(
        facts,
        command=f"tuni audits verify {audit.id}",
        settings={name: "default" if v is None else str(v) for name, v in audit.options.items()},
        versions=library_versions(),
        inputs={"bundle": audit.digest, "list (keyed)": rows.list_digest()},
    )
    return evidence, facts

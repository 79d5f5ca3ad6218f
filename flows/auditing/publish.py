"""What an audit, and a comparison of two, shows to others: evidence and MLflow's run."""

from collections.abc import Mapping
from typing import Any

from flows.auditing.outcome import ended_summary
from flows.machine.settings import Settings
from flows.pages.evidence import Evidence, library_versions
from flows.pages.kinds.audit_facts import AuditFacts
from flows.pages.kinds.comparison_facts import ComparisonFacts
from flows.pages.publish import log_report
from flows.pages.words import shared_evidence
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun
from tuni import __version__
from tuni.hashing import digest

_ENDS = {"": "value", "_low": "low", "_high": "high"}


def publish_audit(ledger: Ledger, settings: Settings, audit: Audit, detector: Detector) -> None:
    """Log an ended audit to MLflow: figures, report, and where the trail ended.

    Raises:
        TrackingError: MLflow does not answer; the audit itself is kept, and `tuni audits resume`
            publishes it later.
    """
    evidence = audit_evidence(ledger, audit)
    facts: AuditFacts = evidence.facts
    labels = JobLabels(
        job=audit.id,
        name=f"audit {audit.watchlist} by {audit.checkpoint} v{audit.version} ({audit.id})",
        checkpoint=audit.checkpoint,
        fingerprint=audit.fingerprint,
        spec=detector.bundle.feature_spec.hash,
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
        log_report(run, evidence)
        run.set_tags({"trail_head": str(Trail(ledger).head())})
        Audits(ledger).keep_run(audit.id, run.run_id)


def publish_comparison(ledger: Ledger, settings: Settings, evidence: Evidence, spec: str) -> None:
    """Log a comparison to MLflow, once.

    Args:
        ledger: Of the home.
        settings: Where MLflow is.
        evidence: What is shown.
        spec: Hash of the feature spec of the second detector.

    Raises:
        TrackingError: MLflow does not answer.
    """
    tracking = configure(ledger.home, settings.runs_uri)
    facts: ComparisonFacts = evidence.facts
    first, second = facts.first, facts.second
    labels = JobLabels(
        job=digest([first.audit, second.audit, __version__]),
        name=f"compare {first.watchlist}: {first.checkpoint} v{first.version} with "
        f"{second.checkpoint} v{second.version}",
        checkpoint=second.checkpoint,
        fingerprint=second.fingerprint,
        spec=spec,
        kind="comparison",
    )
    if JobRun.finished(tracking, labels.job, labels.kind) is not None:
        return
    with JobRun.open(tracking, labels) as run:
        run.set_tags({"watchlist": first.watchlist})
        run.log_params({"first": first.audit, "second": second.audit, **evidence.settings})
        run.log_metrics(comparison_metrics(facts))
        log_report(run, evidence)


def audit_evidence(ledger: Ledger, audit: Audit) -> Evidence:
    """All that others may know of an ended audit.

    Raises:
        RequestError: It has not ended.
    """
    summary = ended_summary(audit)
    rows = AuditRows(ledger, audit.id)
    levels = {p: count for p, (count, _) in rows.kept_levels().items()}
    facts = AuditFacts.of(audit, summary, levels)
    settings = {name: "default" if v is None else str(v) for name, v in audit.options.items()}
    inputs = {"bundle": audit.digest, "list (keyed)": rows.list_digest()}
    command = f"tuni audits verify {audit.id}"
    return Evidence(facts, command, settings, library_versions(), inputs)


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


def comparison_metrics(facts: ComparisonFacts) -> dict[str, float]:
    """Figures by MLflow name; what must not be told is left out."""
    figures = {
        "change_subjects": facts.subjects,
        "change_expected_by_chance": facts.by_chance,
        "change_more": facts.more,
        "change_more_singled_out": facts.more_singled_out,
        "change_less": facts.less,
        "change_less_singled_out": facts.less_singled_out,
        "change_appeared": facts.appeared,
        "change_vanished": facts.vanished,
        "change_list_more_p": facts.list_more,
        "change_list_less_p": facts.list_less,
    }
    return {name: float(value) for name, value in figures.items() if not isinstance(value, str)}


def _measured(known: Mapping[str, Any]) -> dict[str, float]:  # Any: JSON values
    """What the detector's own evaluation says of it, beside what it found here."""
    names = {"test_found": "found", "nonmember_fpr": "nonmember_fpr"}
    figures: dict[str, float] = {}
    for name, key in names.items():
        if rate := known.get(key):
            figures |= {f"{name}{end}": rate[of] for end, of in _ENDS.items()}
    return figures

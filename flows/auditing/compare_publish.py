"""What a comparison shows to others: MLflow's run, the evidence file and its page."""

from flows.job.folder import EVIDENCE, REPORT
from flows.machine.settings import Settings
from flows.pages.evidence import Evidence, evidence_text
from flows.pages.kinds.comparison_facts import ComparisonFacts
from flows.pages.kinds.comparison_page import comparison_findings
from flows.pages.render import render_evidence
from registry.ledger.ledger import Ledger
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun, code_commit
from tuni import __version__
from tuni.hashing import digest


def publish_comparison(
    ledger: Ledger, settings: Settings, evidence: Evidence, facts: ComparisonFacts, spec: str
) -> None:
    """Log a comparison to MLflow, once.

    Args:
        ledger: Of the home.
        settings: Where MLflow is.
        evidence: What is shown.
        facts: Its facts.
        spec: Hash of the feature spec of the second detector.

    Raises:
        TrackingError: MLflow does not answer.
    """
    tracking = configure(ledger.home, settings.runs_uri)
    first, second = facts.first, facts.second
    labels = JobLabels(
        job=digest([first.audit, second.audit, __version__]),
        name=f"compare {first.watchlist}: {first.checkpoint} v{first.version} with "
        f"{second.checkpoint} v{second.version}",
        checkpoint=second.checkpoint,
        fingerprint=second.fingerprint,
        spec=spec,
        version=__version__,
        commit=code_commit(),
        kind="comparison",
    )
    if JobRun.finished(tracking, labels.job, labels.kind) is not None:
        return
    with JobRun.open(tracking, labels) as run:
        run.set_tags({"watchlist": first.watchlist})
        run.log_params({"first": first.audit, "second": second.audit, **evidence.settings})
        run.log_metrics(comparison_metrics(facts))
        run.log_text(EVIDENCE, evidence_text(evidence))
        run.log_text(REPORT, render_evidence(evidence))
        run.set_note(*comparison_findings(facts))


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

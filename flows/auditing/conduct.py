"""What an audit does between its beginning and its end: null, shards, summary, report."""

from prefect import get_run_logger
from prefect.context import FlowRunContext

from flows.auditing.engines.engine import engine_of
from flows.auditing.null import judge_options, null_of_audit
from flows.auditing.outcome import AuditOutcome, AuditSummary
from flows.auditing.progress import verdict_progress
from flows.auditing.publish import publish_audit
from flows.auditing.shards import ShardWorker
from flows.machine.settings import Settings
from flows.pages.kinds.audit_facts import AuditFacts, findings
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits, State
from registry.audits.rows import AuditRows
from registry.ledger.ledger import Ledger
from tuni.judging.null import ListNull
from tuni.judging.record import SELECTED_ON
from tuni.statistics.p_values import q_values

_LOCK_WAIT_S = 2.0


def conduct(
    ledger: Ledger, settings: Settings, begun: Audit, detector: Detector, engine: str
) -> None:
    """Do what an audit still lacks: its null, its shards, its end, its pages.

    Raises:
        HomeError: Another process works on it, or the ledger does not answer.
    """
    audits = Audits(ledger)
    with ledger.exclusive(f"audit-{begun.id}", _LOCK_WAIT_S):
        begun = audits.get(begun.id)  # the process that held the lock may have ended it
        if begun.state == "running":
            null = null_of_audit(ledger, begun, detector)
            worker = ShardWorker(ledger, begun, detector, null)
            rows = AuditRows(ledger, begun.id)
            shards = rows.shards_left()
            written = rows.counts()[1]
            with verdict_progress(begun, written) as done:
                engine_of(engine, worker, settings).run(shards, done)
            if audits.get(begun.id).state == "cancelled":
                return
            finish(ledger, begun, detector, null)
        if audits.get(begun.id).run_id is None:
            publish_audit(ledger, settings, audits.get(begun.id), detector)
        tell(audits.get(begun.id))


def tell(ended: Audit) -> None:
    """Say on Prefect's page of the run what came of an audit, small counts hidden."""
    summary = AuditOutcome.of(ended).summary
    if summary is not None and FlowRunContext.get() is not None:
        log = get_run_logger()
        facts = AuditFacts.of(ended, summary, {})
        for line in (*findings(facts), f"tuni audits show {ended.id} tells more."):
            log.info(line)


def finish(ledger: Ledger, begun: Audit, detector: Detector, null: ListNull) -> None:
    """End an audit: q-values over all that was judged, aggregates, and whether all was."""
    rows = AuditRows(ledger, begun.id)
    levels = rows.levels()
    q = q_values(levels, judge_options(begun).dependence)
    listed, _ = rows.counts()
    summary = AuditSummary.of(
        detector.bundle,
        null,
        subjects=listed,
        levels=levels,
        selected_on=rows.levels(SELECTED_ON),
        q_values=q,
        refused=rows.refusals(),
        series=len(Audits(ledger).series(begun)),
    )
    state: State = "partial" if summary.missing else "done"
    Audits(ledger).end(begun.id, state, q, levels, summary.record())

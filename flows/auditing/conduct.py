"""What an audit does between its beginning and its end: null, shards, summary, report."""

from collections.abc import Iterator
from dataclasses import replace

from prefect import get_run_logger
from prefect.context import FlowRunContext

from flows.auditing.engines.engine import engine_of
from flows.auditing.outcome import AuditOutcome, AuditSummary
from flows.auditing.progress import verdict_progress
from flows.auditing.publish import publish_audit
from flows.auditing.shards import ShardWorker
from flows.machine.console import current_progress
from flows.machine.settings import Settings
from flows.pages.kinds.audit_facts import AuditFacts, findings
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits, State
from registry.audits.rows import AuditRows, KeptVerdict
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from tuni.errors import TextError
from tuni.judging.null import JudgeOptions, ListNull
from tuni.judging.record import SELECTED_ON
from tuni.lists.shape import ListShape
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
            null = prepare(ledger, begun, detector)
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


def prepare(ledger: Ledger, begun: Audit, detector: Detector) -> ListNull:
    """The null of an audit's list, made once and kept; who cannot be scored is written down.

    Raises:
        TextError: Nobody on the list can be scored.
    """
    audits = Audits(ledger)
    kept = audits.list_null(begun.id)
    if kept is None:
        made = make_null(ledger, begun, detector)
        kept = audits.keep_null(begun.id, made.to_json().encode())
    return ListNull.from_json(kept.decode())


def make_null(ledger: Ledger, begun: Audit, detector: Detector, *, fresh: bool = False) -> ListNull:
    """Make the null of an audit's list from its texts, streamed.

    Args:
        ledger: Holds the list.
        begun: The audit.
        detector: Judges it.
        fresh: Compute every feature, whether it is kept or not.
    """
    rows = AuditRows(ledger, begun.id)
    judge = detector.judge(None if fresh else EncryptedFeatureCache(ledger))
    judge = replace(judge, progress=current_progress.get())

    def scorable() -> Iterator[str]:
        for block in rows.subjects():
            bad = judge.unscorable([subject.text for subject in block])
            rows.write(
                [KeptVerdict(block[row].id, None, None, None, "", why) for row, why in bad.items()]
            )
            yield from (subject.text for row, subject in enumerate(block) if row not in bad)

    shape, options = ListShape.of(scorable(), judge.kind), judge_options(begun)
    if not shape.size:
        raise TextError(
            f"watch list {begun.watchlist}: nobody on it can be scored by {begun.checkpoint}",
            f"tuni audits show {begun.id} tells why; or import other spellings",
        )
    return judge.null_of(judge.draw_decoys(shape, options, rows.on_list), options)


def judge_options(begun: Audit) -> JudgeOptions:
    """How an audit's list is judged."""
    asked = begun.options
    return JudgeOptions(asked["list_decoys"], asked["decoys"], asked["dependence"])


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

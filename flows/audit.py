"""An audit: a watch list judged by a registered detector, whatever happens in between.

Stopped at any moment, the same call goes on where it was: the ledger knows which subjects have a
verdict. Nothing about a subject is a parameter or a result here, since Prefect keeps both in clear.
"""

from collections.abc import Iterator
from typing import Literal

from prefect import flow, get_run_logger
from prefect.context import FlowRunContext

from flows.auditing.engines.engine import check_engine, engine_of
from flows.auditing.outcome import AuditOutcome, AuditSummary
from flows.auditing.progress import AuditProgress
from flows.auditing.publish import publish
from flows.auditing.shards import ShardWorker, open_detector
from flows.machine.guard import guarded
from flows.machine.home import open_ledger
from flows.machine.settings import Settings, read_settings
from flows.pages.kinds.audit_facts import AuditFacts, findings
from flows.scoring.detector import Detector
from flows.scoring.score import measured_power
from registry.audits.audits import Audit, Audits, Plan, State
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Watchlists
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from tuni import __version__
from tuni.errors import TextError
from tuni.features.fits import unscorable
from tuni.judging.null import JudgeOptions, ListNull, list_null
from tuni.lists.shape import ListShape
from tuni.statistics.p_values import q_values

# Texts of a shard share neighbours that are encoded once: 1,000 cost about twice as many encodings
# as 4,000. Larger shards would lose more to an interruption.
SHARD_SIZE = 4000
_LOCK_WAIT_S = 2.0


@flow(name="audit", flow_run_name="audit {watchlist} by {checkpoint}", log_prints=False)
@guarded
def audit(
    checkpoint: str,
    watchlist: str,
    version: str = "champion",
    engine: str = "local",
    list_decoys: bool = True,
    decoys: int | None = None,
    dependence: Literal["bh", "by"] = "bh",
    shard_size: int = SHARD_SIZE,
) -> str:
    """Judge every subject of a watch list with a registered detector.

    An audit of the same list, version and options that was interrupted goes on.

    Args:
        checkpoint: Name of the registered checkpoint.
        watchlist: Name of the watch list.
        version: Alias or version number of the detector.
        engine: Where shards run: local, ray or ray://HOST:PORT.
        list_decoys: Also rank each text among decoys of the list's own name parts.
        decoys: How many of those; by default 5 a text, at least 2,000 and at most 20,000.
        dependence: q-values by Benjamini-Hochberg (bh) or -Yekutieli (by).
        shard_size: Subjects that are judged and written at once.

    Returns:
        The audit's id; `tuni audits show ID` tells what came of it.
    """
    settings = read_settings()
    check_engine(engine, settings)
    options = {
        "list_decoys": list_decoys,
        "decoys": decoys,
        "dependence": dependence,
        "tuni": __version__,
    }
    with open_ledger(settings) as ledger:
        listed = Watchlists(ledger).get(watchlist)
        if not listed.subjects:
            raise TextError(
                f"watch list {watchlist}: holds nobody",
                f"tuni watchlist import FILE.csv --name {watchlist}",
            )
        detector = Detector.open(ledger, settings, checkpoint, version)
        found = detector.version
        plan = Plan(
            checkpoint,
            detector.bundle.fingerprint,
            found.version,
            found.tags["digest"],
            options,
            shard_size,
        )
        audits = Audits(ledger)
        begun = audits.unfinished(listed, plan) or audits.begin(listed, plan)
        conduct(ledger, settings, begun, detector, engine)
        return begun.id


@flow(name="resume-audit", flow_run_name="resume audit {audit_id}", log_prints=False)
@guarded
def resume(audit_id: str, engine: str = "local") -> str:
    """Let an audit go on that was interrupted, cancelled or partial.

    It keeps the detector's version that it began with, whatever is champion now.

    Args:
        audit_id: The audit's id, as `tuni audits list` shows it.
        engine: Where shards run: local, ray or ray://HOST:PORT.

    Returns:
        The audit's id.
    """
    settings = read_settings()
    check_engine(engine, settings)
    with open_ledger(settings) as ledger:
        audits = Audits(ledger)
        begun = audits.get(audit_id)
        detector = open_detector(ledger, settings, begun)
        if begun.state in ("partial", "cancelled"):
            audits.reopen(audit_id)
        conduct(ledger, settings, audits.get(audit_id), detector, engine)
        return audit_id


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
            with AuditProgress(begun, written) as progress:
                engine_of(engine, worker, settings).run(shards, progress.done)
            if audits.get(begun.id).state == "cancelled":
                return
            finish(ledger, begun, detector, null)
        if audits.get(begun.id).run_id is None:
            publish(ledger, settings, audits.get(begun.id), detector)
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

    def scorable() -> Iterator[str]:
        for block in rows.subjects():
            bad = unscorable(detector.target, [one.text for one in block], detector.bundle)
            rows.write(
                [KeptVerdict(block[row].id, None, None, None, "", why) for row, why in bad.items()]
            )
            yield from (one.text for row, one in enumerate(block) if row not in bad)

    shape = ListShape.of(scorable())
    if not shape.size:
        raise TextError(
            f"watch list {begun.watchlist}: nobody on it can be scored by {begun.checkpoint}",
            f"tuni audits show {begun.id} tells why; or import other spellings",
        )
    return list_null(
        detector.bundle,
        detector.target,
        shape,
        judge_options(begun),
        on_list=rows.on_list,
        cache=None if fresh else EncryptedFeatureCache(ledger),
        progress=AuditProgress.bars(),
    )


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
        q_values=q,
        refused=rows.refusals(),
        measured_power=measured_power(detector.bundle),
    )
    state: State = "partial" if summary.missing else "done"
    Audits(ledger).end(begun.id, state, q, levels, summary.record())

"""An audit: a watch list judged by a registered detector, whatever happens in between.

Stopped at any moment, the same call goes on where it was: the ledger knows which subjects have a
verdict. Nothing about a subject is a parameter or a result here, since Prefect keeps both in clear.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.auditing.conduct import conduct
from flows.auditing.engines.engine import check_engine
from flows.auditing.outcome import AuditOutcome
from flows.auditing.shards import open_detector
from flows.machine.guard import guarded
from flows.machine.home import open_home, open_ledger
from flows.machine.settings import Settings, read_settings
from flows.scoring.detector import Detector
from registry.audits.audits import Audits, Plan
from registry.audits.watchlists import Watchlists
from registry.models.store import ModelStore
from tuni import __version__
from tuni.errors import ModelNotFound, TextError
from tuni.judging.null import JudgeOptions, require_decoys
from tuni.statistics.suppression import shared_words

# Texts of a shard share neighbours that are encoded once: 1,000 cost about twice as many encodings
# as 4,000. Larger shards would lose more to an interruption.
SHARD_SIZE = 4000


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
        require_decoys(detector.bundle, JudgeOptions(list_decoys, decoys, dependence))
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


@flow(name="fleet", flow_run_name="audit {watchlist} by all", log_prints=False)
@guarded
def fleet(watchlist: str, engine: str = "local") -> list[str]:
    """Audit a watch list by every checkpoint that has a champion, and tabulate the findings.

    Args:
        watchlist: Name of the watch list.
        engine: Where shards run: local, ray or ray://HOST:PORT.

    Returns:
        The ids of the audits, by checkpoint's name.
    """
    settings = read_settings()
    names = ModelStore(open_home(settings), settings.runs_uri).champions()
    done = [audit(name, watchlist, engine=engine) for name in names]
    with open_ledger(settings) as ledger:
        found = [AuditOutcome.of(Audits(ledger).get(one)) for one in done]
    create_table_artifact([_row(one) for one in found], key="fleet", description=f"{watchlist}")
    return done


@flow(name="audit-lists", flow_run_name="audit all lists by {checkpoint}", log_prints=False)
@guarded
def audit_lists(checkpoint: str, engine: str = "local") -> list[str]:
    """Audit every watch list by one checkpoint, e.g. because it has a new champion.

    Args:
        checkpoint: Name of the registered checkpoint.
        engine: Where shards run: local, ray or ray://HOST:PORT.

    Returns:
        The ids of the audits, by watch list's name.
    """
    with open_ledger(read_settings()) as ledger:
        lists = [one.name for one in Watchlists(ledger).list() if one.subjects]
    return [audit(checkpoint, name, engine=engine) for name in lists]


def _row(one: AuditOutcome) -> dict[str, str]:
    told = one.summary
    hidden = told is None or told.withheld is not None
    return {
        "checkpoint": one.audit.checkpoint,
        "version": str(one.audit.version),
        "state": one.audit.state,
        "found": "-" if told is None or hidden else shared_words(told.found, told.judged),
        "by chance": "-" if told is None else f"{told.by_chance:.0f}",
        "subjects": f"{one.audit.subjects:,}",
        "audit": one.audit.id,
    }


@dataclass(frozen=True, slots=True)
class AuditsOutcome:
    """One audit, or a fleet of them.

    Attributes:
        audits: What each came to.
    """

    audits: tuple[AuditOutcome, ...]

    @property
    def exit_code(self) -> int:
        """3 where verdicts are withheld, 1 where an audit is partial, else 0."""
        if any(one.audit.state == "partial" for one in self.audits):
            return 1
        return 3 if any(one.withheld for one in self.audits) else 0

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; holds no text of the list."""
        if len(self.audits) == 1:
            return self.audits[0].record()
        return {"audits": [one.record() for one in self.audits]}

    def text(self) -> str:
        """A few lines for people: the audit, or a table of the fleet."""
        if len(self.audits) == 1:
            return self.audits[0].text()
        lines = [f"{'CHECKPOINT':<32} {'FOUND':>7} {'BY CHANCE':>9} {'OF':>9}  STATE      AUDIT"]
        for one in self.audits:
            told = one.summary
            found = "-" if told is None or told.withheld else f"{told.found:,}"
            chance = "-" if told is None or told.withheld else f"{told.by_chance:.0f}"
            lines.append(
                f"{one.audit.checkpoint:<32} {found:>7} {chance:>9} {one.audit.subjects:>9,}  "
                f"{one.audit.state:<10} {one.audit.id}"
            )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What `tuni audit` was asked; see the flow `audit`. No checkpoint: all with a champion."""

    watchlist: str
    checkpoint: str | None
    version: str
    engine: str
    list_decoys: bool
    decoys: int | None
    dependence: Literal["bh", "by"]
    shard_size: int


def run_audits(settings: Settings, asked: AuditRequest) -> AuditsOutcome:
    """Audit a list by one checkpoint, or by all that have a champion.

    Raises:
        RequestError: No such engine.
        ModelNotFound: There is no such detector.
        WatchlistNotFound: There is no such list.
        EnvironmentFault: The ledger, MLflow or this program failed; the same command goes on.
    """
    _require(settings, asked.checkpoint, asked.version, asked.engine)
    if asked.checkpoint is None:
        return _outcome(settings, fleet(asked.watchlist, engine=asked.engine))
    return _outcome(settings, [audit(**asdict(asked))])


def resume_audit(settings: Settings, audit_id: str, engine: str) -> AuditsOutcome:
    """Let an audit go on.

    Raises:
        AuditNotFound: There is none of this id.
        SpecMismatch: It was begun with another version of tuni or another detector.
    """
    check_engine(engine, settings)
    return _outcome(settings, [resume(audit_id, engine)])


def _require(settings: Settings, checkpoint: str | None, version: str, engine: str) -> None:
    """Tell bad input before a flow begins."""
    check_engine(engine, settings)
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, settings.runs_uri, ledger)
        if checkpoint is not None:
            store.show(checkpoint, version)
        elif not store.champions():
            raise ModelNotFound("--every: no checkpoint has a champion", "make one with `tuni run`")


def _outcome(settings: Settings, done: list[str]) -> AuditsOutcome:
    with open_ledger(settings) as ledger:
        return AuditsOutcome(tuple(AuditOutcome.of(Audits(ledger).get(one)) for one in done))

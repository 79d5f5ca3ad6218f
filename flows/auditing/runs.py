"""Audits from the command line: one checkpoint, or the fleet of all that have a champion."""

from dataclasses import dataclass
from typing import Any, Literal

from flows.audit import audit, resume
from flows.auditing.engines.engine import check_engine
from flows.auditing.fleet import fleet
from flows.auditing.outcome import AuditOutcome
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.audits import Audits
from registry.models.store import ModelStore
from tuni.errors import ModelNotFound


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


def run_audits(
    settings: Settings,
    watchlist: str,
    checkpoint: str | None,
    *,
    version: str,
    engine: str,
    list_decoys: bool,
    decoys: int | None,
    dependence: Literal["bh", "by"],
    shard_size: int,
) -> AuditsOutcome:
    """Audit a list by one checkpoint, or without one by all that have a champion.

    Raises:
        RequestError: No such engine.
        ModelNotFound: There is no such detector.
        WatchlistNotFound: There is no such list.
        EnvironmentFault: The ledger, MLflow or this program failed; the same command goes on.
    """
    _require(settings, checkpoint, version, engine)
    if checkpoint is not None:
        done = [
            audit(
                checkpoint,
                watchlist,
                version=version,
                engine=engine,
                list_decoys=list_decoys,
                decoys=decoys,
                dependence=dependence,
                shard_size=shard_size,
            )
        ]
    else:
        done = fleet(watchlist, engine=engine)
    return _outcome(settings, done)


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

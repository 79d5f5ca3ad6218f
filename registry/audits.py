"""Audits: how one begins, goes on and ends; its rows are in `registry.audit_rows`.

The one law: what an audit began with (detector's version, options, list) stays with it.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import CompoundSelect, Row, delete, func, insert, literal, select, update

from registry import schema
from registry.database import CHUNK, database_errors, moment, take_turn
from registry.ledger import Ledger
from registry.trail import Trail
from registry.watchlists import Watchlist
from tuni.errors import AuditNotFound, HomeError
from tuni.spec import canonical_json

State = Literal["running", "done", "partial", "cancelled"]

ENTRY, LISTED, LEVEL = schema.audits, schema.audit_subjects, schema.audit_levels
MEMBERS = schema.watchlist_subjects


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit.

    Attributes:
        id: Twelve hexadecimal digits.
        watchlist: Name of the list, whose subjects were frozen when the audit began.
        checkpoint: Name of the audited checkpoint.
        fingerprint: Of the checkpoint.
        version: Version of its detector.
        digest: Of the detector's bundle.
        options: How the list is judged, and by which version of tuni.
        state: ``partial`` means that some subjects have no verdict.
        subjects: How many the list held.
        shard_size: Subjects in a shard.
        summary: Aggregates; None until it ended.
        run_id: MLflow's run, or None.
        created_at: When it began, UTC.
        ended_at: When it ended, or None.
    """

    id: str
    watchlist: str
    checkpoint: str
    fingerprint: str
    version: int
    digest: str
    options: Mapping[str, Any]  # Any: JSON values
    state: State
    subjects: int
    shard_size: int
    summary: Mapping[str, Any] | None
    run_id: str | None
    created_at: datetime
    ended_at: datetime | None

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """As JSON; holds no text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "ended_at": self.ended_at and self.ended_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What an audit is to be.

    Attributes:
        checkpoint: Name of the audited checkpoint.
        fingerprint: Of the checkpoint.
        version: Version of its detector.
        digest: Of the detector's bundle.
        options: How the list is judged.
        shard_size: Subjects in a shard.
    """

    checkpoint: str
    fingerprint: str
    version: int
    digest: str
    options: Mapping[str, Any]  # Any: JSON values
    shard_size: int


class Audits:
    """The audits of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Read and write through an open ledger."""
        self._ledger = ledger
        self._engine = ledger.engine

    def begin(self, watchlist: Watchlist, plan: Plan) -> Audit:
        """Begin an audit of a list as it is now."""
        name = secrets.token_hex(6)
        rank = func.row_number().over(order_by=MEMBERS.c.subject) - 1
        frozen = select(literal(name), MEMBERS.c.subject, rank // plan.shard_size).where(
            MEMBERS.c.watchlist == watchlist.id
        )
        values = {
            "id": name,
            "watchlist": watchlist.name,
            "checkpoint": plan.checkpoint,
            "fingerprint": plan.fingerprint,
            "version": plan.version,
            "digest": plan.digest,
            "options": canonical_json(dict(plan.options)),
            "state": "running",
            "subjects": 0,
            "shard_size": plan.shard_size,
            "created_at": datetime.now(UTC),
        }
        with database_errors("begin the audit"), self._engine.begin() as connection:
            take_turn(connection)
            connection.execute(insert(ENTRY), values)
            connection.execute(insert(LISTED).from_select(["audit", "subject", "shard"], frozen))
            count = connection.execute(
                select(func.count()).select_from(LISTED).where(LISTED.c.audit == name)
            ).scalar_one()
            connection.execute(update(ENTRY).where(ENTRY.c.id == name).values(subjects=count))
            Trail(self._ledger).append_in(
                connection,
                "audit begun",
                audit=name,
                watchlist=watchlist.name,
                checkpoint=plan.checkpoint,
                version=plan.version,
                subjects=count,
            )
        return self.get(name)

    def get(self, name: str) -> Audit:
        """One audit.

        Raises:
            AuditNotFound: There is none of this id.
        """
        with database_errors("look up the audit"), self._engine.connect() as connection:
            row = connection.execute(select(ENTRY).where(ENTRY.c.id == name)).one_or_none()
        if row is None:
            raise AuditNotFound(f"audit {name!r}: not in this ledger", "tuni audits list")
        return _audit(row)

    def list(self, watchlist: str | None = None) -> tuple[Audit, ...]:
        """All audits, or those of one list; oldest first."""
        query = select(ENTRY).order_by(ENTRY.c.created_at, ENTRY.c.id)
        if watchlist is not None:
            query = query.where(ENTRY.c.watchlist == watchlist)
        with database_errors("list the audits"), self._engine.connect() as connection:
            return tuple(_audit(row) for row in connection.execute(query))

    def unfinished(self, watchlist: Watchlist, plan: Plan) -> Audit | None:
        """The newest audit of the same list, version and options that has not ended, or None.

        A list that has changed since makes another audit.
        """
        for audit in reversed(self.list(watchlist.name)):
            same = Plan(
                audit.checkpoint,
                audit.fingerprint,
                audit.version,
                audit.digest,
                audit.options,
                audit.shard_size,
            )
            if audit.state == "running" and same == plan and self._same_list(audit, watchlist):
                return audit
        return None

    def keep_null(self, audit: str, content: bytes) -> bytes:
        """Keep what the verdicts rest on; the first stays. What is kept then."""
        mine = ENTRY.c.id == audit
        fresh = update(ENTRY).where(mine, ENTRY.c.list_null.is_(None)).values(list_null=content)
        with database_errors("keep the list's null"), self._engine.begin() as connection:
            connection.execute(fresh)
            return bytes(connection.execute(select(ENTRY.c.list_null).where(mine)).scalar_one())

    def list_null(self, audit: str) -> bytes | None:
        """What `keep_null` kept, or None."""
        query = select(ENTRY.c.list_null).where(ENTRY.c.id == audit)
        with database_errors("read the list's null"), self._engine.connect() as connection:
            return connection.scalar(query)

    def keep_run(self, audit: str, run_id: str) -> None:
        """Note MLflow's run of an audit."""
        with database_errors("note the run"), self._engine.begin() as connection:
            connection.execute(update(ENTRY).where(ENTRY.c.id == audit).values(run_id=run_id))

    def end(
        self,
        audit: str,
        state: State,
        q_values: Mapping[float, float],
        levels: Mapping[float, int],
        summary: Mapping[str, object],
    ) -> None:
        """End an audit: its p- and q-values, its aggregates, and an entry of the trail, at once."""
        rows = [
            {"audit": audit, "p_decoy": p, "subjects": levels[p], "q_value": q_values[p]}
            for p in sorted(levels)
        ]
        ended = {
            "state": state,
            "summary": canonical_json(dict(summary)),
            "ended_at": datetime.now(UTC),
        }
        with database_errors("end the audit"), self._engine.begin() as connection:
            connection.execute(delete(LEVEL).where(LEVEL.c.audit == audit))
            for start in range(0, len(rows), CHUNK):
                connection.execute(insert(LEVEL), rows[start : start + CHUNK])
            running = (ENTRY.c.id == audit) & (ENTRY.c.state == "running")
            if not connection.execute(update(ENTRY).where(running).values(**ended)).rowcount:
                raise HomeError(
                    f"audit {audit}: was ended or cancelled by another process meanwhile",
                    f"tuni audits show {audit}",
                )
            Trail(self._ledger).append_in(connection, "audit ended", audit=audit, state=state)

    def cancel(self, audit: str) -> None:
        """Mark a running audit as cancelled; what is written stays."""
        change = {"state": "cancelled", "ended_at": datetime.now(UTC)}
        with database_errors("cancel the audit"), self._engine.begin() as connection:
            Trail(self._ledger).append_in(connection, "audit cancelled", audit=audit)
            connection.execute(update(ENTRY).where(ENTRY.c.id == audit).values(**change))

    def reopen(self, audit: str) -> None:
        """Let an audit go on that was cancelled or is partial."""
        change = {"state": "running", "ended_at": None}
        with database_errors("go on with the audit"), self._engine.begin() as connection:
            connection.execute(update(ENTRY).where(ENTRY.c.id == audit).values(**change))

    def _same_list(self, audit: Audit, watchlist: Watchlist) -> bool:
        mine = select(LISTED.c.subject).where(LISTED.c.audit == audit.id)
        now = select(MEMBERS.c.subject).where(MEMBERS.c.watchlist == watchlist.id)
        apart: tuple[CompoundSelect[tuple[int]], ...] = (mine.except_(now), now.except_(mine))
        with database_errors("compare the lists"), self._engine.connect() as connection:
            return not any(
                connection.execute(select(one.limit(1).subquery())).first() for one in apart
            )


def _audit(row: Row[tuple[Any, ...]]) -> Audit:  # Any: columns of several types
    return Audit(
        id=row.id,
        watchlist=row.watchlist,
        checkpoint=row.checkpoint,
        fingerprint=row.fingerprint,
        version=row.version,
        digest=row.digest,
        options=json.loads(row.options),
        state=row.state,
        subjects=row.subjects,
        shard_size=row.shard_size,
        summary=row.summary and json.loads(row.summary),
        run_id=row.run_id,
        created_at=moment(row.created_at),
        ended_at=row.ended_at and moment(row.ended_at),
    )

"""Audits: how one begins, goes on and ends; its rows are in `registry.audits.rows`.

What an audit began with (detector's version, options, list) stays with it.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import CompoundSelect, Connection, Row, delete, func, select

from registry.audits.watchlists import Watchlist
from registry.ledger import schema
from registry.ledger.database import moment
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import AuditNotFound, HomeError
from tuni.hashing import canonical_json

State = Literal["running", "done", "partial", "cancelled"]

ENTRY, LISTED, LEVEL = schema.audits, schema.audit_subjects, schema.audit_levels
MEMBERS, VERDICT = schema.watchlist_subjects, schema.verdicts
_ROWS = 2000


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
        self._seals = ledger.seals

    def begin(self, watchlist: Watchlist, plan: Plan) -> Audit:
        """Begin an audit of a list as it is now."""
        name = secrets.token_hex(6)
        values = {
            **asdict(plan),
            "id": name,
            "watchlist": watchlist.name,
            "options": canonical_json(dict(plan.options)),
            "state": "running",
            "subjects": 0,
            "created_at": datetime.now(UTC),
            "listed": 0,
        }
        with self._ledger.writing("begin the audit") as connection:
            self._seals.add(connection, ENTRY, [values])
            count = self._freeze(connection, name, watchlist, plan.shard_size)
            row = self._find(connection, name, to_change=True)
            self._seals.change(connection, ENTRY, row, subjects=count, listed=count)
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

    def _freeze(
        self, connection: Connection, name: str, watchlist: Watchlist, shard_size: int
    ) -> int:
        """Write down who is on the list now, in shards; how many."""
        query = (
            select(MEMBERS)
            .where(MEMBERS.c.watchlist == watchlist.id)
            .order_by(MEMBERS.c.subject)
            .execution_options(yield_per=_ROWS)
        )
        members = self._seals.read(connection, query, MEMBERS)
        count = 0
        while some := list(islice(members, _ROWS)):
            rows = [
                {"audit": name, "subject": row.subject, "shard": (count + place) // shard_size}
                for place, row in enumerate(some)
            ]
            count += self._seals.add(connection, LISTED, rows)
        return count

    def get(self, name: str) -> Audit:
        """One audit.

        Raises:
            AuditNotFound: There is none of this id.
        """
        with self._ledger.reading("look up the audit") as connection:
            return _audit(self._find(connection, name))

    def list(self, watchlist: str | None = None) -> tuple[Audit, ...]:
        """All audits, or those of one list; oldest first."""
        query = select(ENTRY).order_by(ENTRY.c.created_at, ENTRY.c.id)
        if watchlist is not None:
            query = query.where(ENTRY.c.watchlist == watchlist)
        with self._ledger.reading("list the audits") as connection:
            return tuple(_audit(row) for row in self._seals.read(connection, query, ENTRY))

    def series(self, audit: Audit) -> tuple[Audit, ...]:
        """The audits of a list by one checkpoint's detectors up to this one, oldest first.

        Those before it have ended and give verdicts; this one is the last, whatever its state.
        """
        before = self.list(audit.watchlist)
        before = before[: [one.id for one in before].index(audit.id)]
        return (
            *(
                one
                for one in before
                if one.checkpoint == audit.checkpoint
                and one.state in ("done", "partial")
                and (one.summary or {}).get("withheld") is None
            ),
            audit,
        )

    def unfinished(self, watchlist: Watchlist, plan: Plan) -> Audit | None:
        """The newest audit of the same list, version and options that has not ended, or None.

        A list that has changed since makes another audit.
        """
        for audit in reversed(self.list(watchlist.name)):
            same = all(getattr(audit, name) == value for name, value in asdict(plan).items())
            if audit.state == "running" and same and self._same_list(audit, watchlist):
                return audit
        return None

    def keep_null(self, audit: str, content: bytes) -> bytes:
        """Keep what the verdicts rest on; the first stays. What is kept then."""
        with self._changing("keep the list's null", audit) as (connection, row):
            if row.list_null is not None:
                return bytes(row.list_null)
            self._seals.change(connection, ENTRY, row, list_null=content)
            return content

    def list_null(self, audit: str) -> bytes | None:
        """What `keep_null` kept, or None."""
        with self._ledger.reading("read the list's null") as connection:
            content: bytes | None = self._find(connection, audit).list_null
        return content

    def keep_run(self, audit: str, run_id: str) -> None:
        """Note MLflow's run of an audit."""
        with self._changing("note the run", audit) as (connection, row):
            self._seals.change(connection, ENTRY, row, run_id=run_id)

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
        count = select(func.count()).select_from(VERDICT).where(VERDICT.c.audit == audit)
        with self._changing("end the audit", audit) as (connection, row):
            if row.state != "running":
                raise HomeError(
                    f"audit {audit}: was ended or cancelled by another process meanwhile",
                    f"tuni audits show {audit}",
                )
            connection.execute(delete(LEVEL).where(LEVEL.c.audit == audit))
            self._seals.add(connection, LEVEL, rows)
            self._seals.change(
                connection,
                ENTRY,
                row,
                state=state,
                summary=canonical_json(dict(summary)),
                ended_at=datetime.now(UTC),
                written=connection.scalar(count),
                levels=len(rows),
            )
            Trail(self._ledger).append_in(connection, "audit ended", audit=audit, state=state)

    def cancel(self, audit: str) -> None:
        """Mark a running audit as cancelled; what is written stays."""
        with self._changing("cancel the audit", audit) as (connection, row):
            self._seals.change(
                connection, ENTRY, row, state="cancelled", ended_at=datetime.now(UTC)
            )
            Trail(self._ledger).append_in(connection, "audit cancelled", audit=audit)

    def reopen(self, audit: str) -> None:
        """Let an audit go on that was cancelled or is partial."""
        with self._changing("go on with the audit", audit) as (connection, row):
            self._seals.change(connection, ENTRY, row, state="running", ended_at=None, written=None)

    @contextmanager
    def _changing(self, doing: str, audit: str) -> Iterator[tuple[Connection, Row[Any]]]:
        with self._ledger.writing(doing) as connection:
            yield connection, self._find(connection, audit, to_change=True)

    def _find(self, connection: Connection, name: str, *, to_change: bool = False) -> Row[Any]:
        row = self._seals.find(connection, ENTRY, ENTRY.c.id == name, to_change=to_change)
        if row is None:
            raise AuditNotFound(f"audit {name!r}: not in this ledger", "tuni audits list")
        return row

    def _same_list(self, audit: Audit, watchlist: Watchlist) -> bool:
        mine = select(LISTED.c.subject).where(LISTED.c.audit == audit.id)
        now = select(MEMBERS.c.subject).where(MEMBERS.c.watchlist == watchlist.id)
        apart: tuple[CompoundSelect[tuple[int]], ...] = (mine.except_(now), now.except_(mine))
        with self._ledger.reading("compare the lists") as connection:
            return not any(
                connection.execute(select(one.limit(1).subquery())).first() for one in apart
            )


def _audit(row: Row[tuple[Any, ...]]) -> Audit:  # Any: columns of several types
    values = {field.name: getattr(row, field.name) for field in fields(Audit)}
    values["options"] = json.loads(row.options)
    values["summary"] = row.summary and json.loads(row.summary)
    values["created_at"] = moment(row.created_at)
    values["ended_at"] = row.ended_at and moment(row.ended_at)
    return Audit(**values)

"""The audit trail: what was done with the ledger and when, in entries chained by a keyed digest.

An entry holds ids, counts and names of checkpoints and watch lists, nobody's name and
no pseudonym; once written it is never changed. A changed, removed or reordered entry breaks the
chain, and without the home's key nobody can mend it. Only a whole older state put back in place of
the present one looks sound: note the head that `verify` tells elsewhere to notice that as well
(every audit's MLflow run keeps it as a tag).
"""

import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Row, func, select, text

from registry.keys.pseudonyms import Keys
from registry.ledger import schema
from registry.ledger.database import database_errors
from tuni.errors import TrailBroken
from tuni.hashing import canonical_json

_LOCK = 0x7472_6169  # any constant that our processes share ("trai")
_HEAD = "trail_head"
_ROWS = 5000

Detail = str | int | float | bool | None


class Chained(Protocol):
    """What holds a trail: an open ledger."""

    engine: Engine
    keys: Keys

    def reading(self, doing: str) -> AbstractContextManager[Connection]:
        """A connection to read by."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        number: From 1, without gaps.
        at: When, by this machine's clock, ISO 8601 in UTC.
        action: What, e.g. ``"audit finished"``.
        details: Ids, counts, names of checkpoints and watch lists.
    """

    number: int
    at: str
    action: str
    details: dict[str, Detail]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the trail ends: note it elsewhere to notice that an older state was put back.

    Attributes:
        entries: How many there are.
        mac: Keyed digest of the last one, ``""`` where there is none.
    """

    entries: int
    mac: str

    def __str__(self) -> str:
        """``ENTRIES:FIRST_16_DIGITS``."""
        return f"{self.entries}:{self.mac[:16]}"


def _now() -> datetime:
    return datetime.now(UTC)


class Trail:
    """The trail of one ledger."""

    def __init__(self, ledger: Chained, clock: Callable[[], datetime] = _now) -> None:
        """Read and append through an open ledger.

        Args:
            ledger: Where it is kept.
            clock: Tells the time of an entry, UTC. Entries are ordered by their numbers: a clock
                that goes backwards breaks nothing.
        """
        self._ledger = ledger
        self._clock = clock

    def append(self, action: str, **details: Detail) -> Head:
        """Add an entry, after all that others add at the same time.

        Args:
            action: What was done, e.g. ``"audit finished"``.
            details: Ids, counts, names of checkpoints and watch lists; nobody's name.
        """
        with (
            database_errors("append to the audit trail"),
            self._ledger.engine.begin() as connection,
        ):
            return self.append_in(connection, action, **details)

    def append_in(self, connection: Connection, action: str, **details: Detail) -> Head:
        """`append` as a part of a transaction: the entry stands if and only if the rest does.

        Ask for it first or last: others that append wait until the transaction ends.
        """
        self._serialise(connection)
        table = schema.trail
        last = connection.execute(
            select(table.c.number, table.c.mac).order_by(table.c.number.desc()).limit(1)
        ).one_or_none()
        number, before = (1, "") if last is None else (last.number + 1, last.mac)
        at = self._clock().isoformat(timespec="milliseconds")
        written = canonical_json(details)
        mac = self._ledger.keys.chain(before, _entry(number, at, action, written))
        row = {"number": number, "at": at, "action": action, "details": written, "mac": mac}
        connection.execute(table.insert(), row)
        return self._write_head(connection, number, mac)

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first, as they stand; `verify` says whether they may be believed."""
        table = schema.trail
        with self._ledger.reading("read the audit trail") as connection:
            rows = connection.execution_options(yield_per=_ROWS).execute(
                select(table).order_by(table.c.number)
            )
            for row in rows:
                try:
                    details = json.loads(row.details)
                except (ValueError, TypeError) as error:
                    raise _broken(row.number, "was changed") from error
                yield Entry(row.number, row.at, row.action, details)

    def verify(self) -> Head:
        """Check every entry and the end of the trail.

        Raises:
            TrailBroken: An entry was changed, removed, added or reordered; says which.
        """
        table = schema.trail
        before, expected = "", 1
        with self._ledger.reading("read the audit trail") as connection:
            noted = connection.scalar(
                select(schema.settings.c.value).where(schema.settings.c.name == _HEAD)
            )
            rows = connection.execution_options(yield_per=_ROWS).execute(
                select(table).order_by(table.c.number)
            )
            for row in rows:
                if row.number != expected:
                    raise _broken(expected, "is missing")
                if not self._follows(before, row):
                    raise _broken(expected, "was changed, or does not belong there")
                before, expected = row.mac, expected + 1
        head = self._sealed_head(expected - 1, before)
        if (noted or "") != (head if expected > 1 else ""):
            raise _broken(expected, "is missing: the trail ends earlier than was noted")
        return Head(expected - 1, before)

    def head(self) -> Head:
        """Where the trail ends now, unchecked."""
        table = schema.trail
        with self._ledger.reading("read the audit trail") as connection:
            count = connection.scalar(select(func.max(table.c.number))) or 0
            mac = connection.scalar(select(table.c.mac).where(table.c.number == count)) or ""
        return Head(count, mac)

    def _follows(self, before: str, row: Row[Any]) -> bool:  # Any: columns of several types
        values = (row.at, row.action, row.details, row.mac)
        if not all(isinstance(value, str) for value in values):  # SQLite keeps any in any column
            return False
        mac = self._ledger.keys.chain(before, _entry(row.number, row.at, row.action, row.details))
        return hmac.compare_digest(mac.encode(), row.mac.encode())

    def _serialise(self, connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            # A write that changes nothing takes SQLite's one write lock before anything is read.
            connection.execute(schema.trail.delete().where(schema.trail.c.number < 0))
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})

    def _write_head(self, connection: Connection, number: int, mac: str) -> Head:
        table = schema.settings
        value = self._sealed_head(number, mac)
        mine = table.c.name == _HEAD
        if connection.execute(table.update().where(mine).values(value=value)).rowcount != 1:
            connection.execute(table.insert(), {"name": _HEAD, "value": value})
        return Head(number, mac)

    def _sealed_head(self, number: int, mac: str) -> str:
        return f"{number}:{self._ledger.keys.chain(mac, f'head {number}')}"


def _entry(number: int, at: str, action: str, details: str) -> str:
    return canonical_json([number, at, action, details])


def _broken(number: int, what: str) -> TrailBroken:
    return TrailBroken(
        f"audit trail: entry {number} {what}",
        "find out who can write to the ledger's database; restore it from a backup to compare",
    )

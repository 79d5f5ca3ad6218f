"""The ledger: which checkpoint a name means, who took part in choosing, what was read when.

A text stands here encrypted, under a keyed pseudonym, and a row is believed only with its seal
(`registry.ledger.row_seals`). Paths are bulk paths, and writing the same thing twice is writing it
once.
"""

import hmac
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, Select, Table, delete, func, select, text

from registry.home import Home
from registry.keys.home_key import (
    KEY_BYTES,
    Wrapper,
    WrongKey,
    adopt_next,
    derive,
    home_key,
    next_key,
)
from registry.keys.pseudonyms import Keys
from registry.ledger import schema
from registry.ledger.database import (
    CHUNK,
    database_errors,
    insert_ignore,
    moment,
    open_engine,
    prepare,
    take_turn,
)
from registry.ledger.root_secret import ROOT, SEALED_ROOT, note_sealed, seal_rows, unwrap_root
from registry.ledger.row_seals import RowSeals, Values, altered
from tuni.errors import CheckpointError, HomeError
from tuni.hashing import canonical_json

LOCK_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a set that may be looked at once.

    Attributes:
        job: Hash of the job that looked.
        read_set: Name of the set, and where there are several a keyed digest of its texts.
        read_at: When, UTC.
    """

    job: str
    read_set: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """One alias that was moved to a version.

    Attributes:
        model: Registered model.
        version: Version that the alias points to since then.
        alias: ``champion``, ``challenger`` or ``previous``.
        reason: Why.
        moved_at: When, UTC.
    """

    model: str
    version: int
    alias: str
    reason: str
    moved_at: datetime


class Ledger:
    """An open ledger; use it as a context manager, or call `close`."""

    def __init__(self, engine: Engine, home: Home) -> None:
        """Use `open` instead, which also checks schema and key."""
        self.engine = engine
        self.home = home
        self.keys: Keys
        self.seals: RowSeals
        self.root_secret: bytes
        self.generation: int
        self.wrappers: Mapping[int, Wrapper]

    @classmethod
    def open(cls, home: Home, *, upgrade: bool | None = None) -> Self:
        """Open the ledger, set it up at first use, and check that the home's key is its key.

        Args:
            home: Says where the database is, and gives key and locks.
            upgrade: Whether an older schema is upgraded, and rows from before there were seals
                are sealed. None: on SQLite yes; on Postgres, which other machines may share, no.
                An empty database is always set up.

        Raises:
            RequestError: The URL or the key cannot be read.
            HomeError: Database out of reach, schema of another version, another key, or rows
                that are to be sealed again.
        """
        home_key(home)  # before the database exists: a lost key is noticed by that
        with ExitStack() as opened:
            engine = open_engine(home.ledger_url)
            opened.callback(engine.dispose)
            # Other machines may share a Postgres.
            allowed = engine.dialect.name == "sqlite" if upgrade is None else upgrade
            prepare(engine, home, upgrade=allowed)
            ledger = cls(engine, home)
            ledger.load_keys(seal=allowed)
            opened.pop_all()
        return ledger

    def close(self) -> None:
        """Give the database connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @contextmanager
    def reading(self, doing: str) -> Iterator[Connection]:
        """A connection to read by.

        Args:
            doing: What is tried, for the message of the `HomeError` where the database fails.
        """
        with database_errors(doing), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, doing: str) -> Iterator[Connection]:
        """A transaction that has waited for its turn; see `reading`."""
        with database_errors(doing), self.engine.begin() as connection:
            take_turn(connection)
            yield connection

    def describe(self) -> str:
        """One line for people: what kind of database, and how much it holds."""
        tables = {
            "checkpoints": schema.checkpoints,
            "watch lists": schema.watchlists,
            "audits": schema.audits,
            "encrypted feature rows": schema.features,
        }
        with self.reading("count the rows") as connection:
            counts = [
                f"{connection.scalar(select(func.count()).select_from(table)):,} {name}"
                for name, table in tables.items()
            ]
        return ", ".join([self.engine.dialect.name, *counts])

    def bind_checkpoint(
        self, name: str, fingerprint: str, source: Mapping[str, str | None]
    ) -> None:
        """Bind a checkpoint's name to its weights, for good; where they lie may change.

        Args:
            name: Name of the registered model.
            fingerprint: Of the checkpoint, 64 hexadecimal digits.
            source: Where it was loaded from: keys ``folder``, ``architecture``, ``weights``.

        Raises:
            CheckpointError: The name is bound to other weights.
        """
        table = schema.checkpoints
        place = canonical_json(dict(source))
        values = {
            "name": name,
            "fingerprint": fingerprint,
            "source": place,
            "bound_at": datetime.now(UTC),
        }
        with self.writing("bind the checkpoint") as connection:
            self.seals.add(connection, table, [values])
            row = self.seals.find(connection, table, table.c.name == name, to_change=True)
            bound = None if row is None else row.fingerprint
            if row is not None and bound == fingerprint:
                self.seals.change(connection, table, row, source=place)
        if bound != fingerprint:
            raise CheckpointError(
                f"checkpoint.name: {name!r} is bound to weights with fingerprint "
                f"{str(bound)[:12]}, these have {fingerprint[:12]}",
                "give these weights another name",
            )

    def find_checkpoint(self, fingerprint: str) -> dict[str, str | None] | None:
        """Where a checkpoint was last loaded from, or None where it was never bound."""
        query = select(schema.checkpoints).order_by(schema.checkpoints.c.bound_at)
        rows = self._read_all("look up the checkpoint", query, schema.checkpoints)
        sources = [row.source for row in rows if row.fingerprint == fingerprint]
        if not sources:
            return None
        source: dict[str, str | None] = json.loads(sources[-1])
        return source

    def record_selection(self, model: str, version: int, texts: Sequence[str]) -> None:
        """Remember which texts took part in choosing a version."""
        marks = sorted({self.keys.pseudonym(one) for one in texts})
        people, table = schema.subjects, schema.selections
        with self.writing("record the selection") as connection:
            for start in range(0, len(marks), CHUNK):
                some = marks[start : start + CHUNK]
                self.seals.add(connection, people, [{"pseudonym": mark} for mark in some])
                listed = select(people).where(people.c.pseudonym.in_(some))
                rows = [
                    {"model": model, "version": version, "subject": row.id}
                    for row in self.seals.read(connection, listed, people)
                ]
                self.seals.add(connection, table, rows)

    def selected_on(self, model: str, version: int, texts: Sequence[str]) -> frozenset[int]:
        """Rows of ``texts`` that took part in choosing a version."""
        people, table = schema.subjects, schema.selections
        marks = [self.keys.pseudonym(one) for one in texts]
        distinct = sorted(set(marks))
        whose = select(table, people).outerjoin(people, people.c.id == table.c.subject)
        chosen = whose.where(table.c.model == model, table.c.version == version)
        with self.reading("look up the selection") as connection:
            rows = self.seals.read(connection, chosen, table, people)
            selected = {row.pseudonym for row in rows}
            # All choices of those who are asked about, too: one that was moved to another version
            # is noticed there.
            for start in range(0, len(distinct), CHUNK):
                theirs = whose.where(people.c.pseudonym.in_(distinct[start : start + CHUNK]))
                for _ in self.seals.read(connection, theirs, table, people):
                    pass
        return frozenset(row for row, mark in enumerate(marks) if mark in selected)

    def record_reading(self, job: str, read_set: str) -> None:
        """Write down that a job looked at a set now."""
        values = {"job": job, "read_set": read_set, "read_at": datetime.now(UTC)}
        self._add("record the reading", schema.readings, values)

    def readings(self, read_set: str) -> tuple[Reading, ...]:
        """Who looked at a set, oldest first."""
        query = select(schema.readings).order_by(schema.readings.c.read_at)
        rows = self._read_all("list the readings", query, schema.readings)
        looks = (Reading(row.job, row.read_set, moment(row.read_at)) for row in rows)
        return tuple(look for look in looks if look.read_set == read_set)

    def record_move(self, model: str, version: int, alias: str, reason: str) -> None:
        """Write down that an alias points to a version now."""
        values = {
            "model": model,
            "version": version,
            "alias": alias,
            "reason": reason,
            "moved_at": datetime.now(UTC),
        }
        self._add("record the promotion", schema.promotions, values)

    def moves(self, model: str) -> tuple[Move, ...]:
        """How the aliases of a model moved, oldest first."""
        query = select(schema.promotions).order_by(schema.promotions.c.moved_at)
        rows = self._read_all("list the promotions", query, schema.promotions)
        return tuple(
            Move(row.model, row.version, row.alias, row.reason, moment(row.moved_at))
            for row in rows
            if row.model == model
        )

    def _add(self, doing: str, table: Table, values: Values) -> None:
        with database_errors(doing), self.engine.begin() as connection:
            self.seals.add(connection, table, [values])

    def _read_all(self, doing: str, query: Select[Any], table: Table) -> list[Row[Any]]:
        """All rows of a short table: one that was moved is noticed wherever it would be missed."""
        with self.reading(doing) as connection:
            return list(self.seals.read(connection, query, table))

    @contextmanager
    def exclusive(self, name: str, wait_s: float | None = None) -> Iterator[None]:
        """Hold a named lock that everybody with this ledger respects; a crash frees it.

        On Postgres an advisory lock (other machines respect it too), on SQLite a lock file.

        Args:
            name: Of the lock.
            wait_s: How long to wait for somebody else; None is a minute.

        Raises:
            HomeError: Somebody else held it for longer.
        """
        wait_s = LOCK_TIMEOUT_S if wait_s is None else wait_s
        if self.engine.dialect.name == "sqlite":
            with self.home.lock(name, wait_s):
                yield
            return
        with database_errors(f"take the lock {name}"):
            # A session's lock, not a transaction's: servers end transactions that stay idle, and
            # the lock would go with it while the work goes on.
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # closing it ends the session, and with it the lock
        with closing(connection):
            with database_errors(f"take the lock {name}"):
                connection.execute(text(f"SET lock_timeout = '{wait_s * 1000:.0f}ms'"))
                connection.execute(
                    text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": name}
                )
            yield

    def load_keys(self, *, seal: bool = False) -> None:
        """Unwrap the root secret with the home's key; made at first use.

        Args:
            seal: Whether rows from before there were seals may be sealed.

        Raises:
            HomeError: It was wrapped with another key, or the rows have no seals.
        """
        for _ in range(2):  # once more: one may just have been rotated
            if self._load_keys(seal):
                return
        raise HomeError(
            f"key {self.home.key_file}: not the key that this ledger was written with",
            "put the ledger's key file back from a backup, or copy it from the machine that "
            "made or rotated it; nothing was overwritten",
        )

    def _load_keys(self, seal: bool) -> bool:
        coming, current = next_key(self.home), home_key(self.home)
        with database_errors("read the root secret"):
            generation, wrapped = self._root(current)
        for key in (current, coming):
            if key is None:
                continue
            try:
                secret, sealed = unwrap_root(Wrapper(key), wrapped)
            except WrongKey:
                continue
            self.root_secret, self.keys, self.generation = secret, Keys(secret), generation
            self.seals = RowSeals(secret)
            self.wrappers = {generation: Wrapper(key)}
            if not sealed:
                seal_rows(self, allowed=seal)
            note_sealed(self.home)
            if key is current and coming is not None:  # a rotation goes on, or was interrupted
                self.wrappers |= {generation + 1: Wrapper(coming)}
            elif key is coming:  # one was interrupted just before its last step
                adopt_next(self.home, key)
            return True
        return False

    def require_generation(self, connection: Connection) -> bool:
        """Whether the home's key is still the one that was loaded; a rotation waits from here on.

        To be asked in the transaction that writes a wrapped key.
        """
        table = schema.settings
        query = select(table.c.value).where(table.c.name == ROOT).with_for_update(read=True)
        return str(connection.scalar(query)).startswith(f"{self.generation}:")

    def _root(self, key: bytes) -> tuple[int, bytes]:
        """Generation and wrapped root secret."""
        table = schema.settings
        with self.engine.connect() as connection:
            known = connection.scalar(select(table.c.value).where(table.c.name == ROOT))
            old = connection.scalar(select(table.c.value).where(table.c.name == "key_check"))
        if known is None:
            # A ledger of the first schema derived everything from the home's key itself.
            fresh = os.urandom(KEY_BYTES) if old is None else key
            check = hmac.new(derive(key, "check"), b"tuni", "sha256").hexdigest()
            if old is None or hmac.compare_digest(old, check):
                owner = SEALED_ROOT if old is None else ROOT
                known = self._set_root(f"1:{Wrapper(key).wrap(fresh, owner).hex()}")
        generation, _, wrapped = (known or "0:").partition(":")
        try:
            return int(generation), bytes.fromhex(wrapped)
        except ValueError as error:
            raise altered(table) from error

    def _set_root(self, value: str) -> str | None:
        """Set the root secret unless another process has just done so; what stands then."""
        table = schema.settings
        with self.engine.begin() as connection:
            add = insert_ignore(self.engine, table)
            connection.execute(add, {"name": ROOT, "value": value})
            connection.execute(delete(table).where(table.c.name == "key_check"))
            return connection.scalar(select(table.c.value).where(table.c.name == ROOT))

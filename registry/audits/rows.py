"""The subjects and verdicts of one audit: read in blocks, written once.

A verdict is inserted and never updated, and the first one stands, so a stale or repeated worker
changes nothing. Whatever is read is checked: each row by its seal, and how many there are by the
counts in the audit's own row.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select

from registry.ledger import schema
from registry.ledger.database import CHUNK, database_errors, snapshot
from registry.ledger.ledger import Ledger
from registry.ledger.row_seals import altered
from registry.ledger.subjects import unwrap
from tuni.errors import AuditNotFound

LISTED, VERDICT, LEVEL = schema.audit_subjects, schema.verdicts, schema.audit_levels
ENTRY, PEOPLE = schema.audits, schema.subjects
_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Listed:
    """A subject of an audit.

    Attributes:
        id: Its number.
        text: Its text.
    """

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """What the ledger keeps of one verdict.

    Attributes:
        subject: Number of the subject.
        score: Higher is nearer to "trained on"; None where it was refused, as are the p-values.
        p_decoy: The larger of the conformal p-values against the bundle's and the list's decoys.
        p_gibberish: Conformal p against gibberish.
        flags: What a reader must know beside it, separated by blanks.
        refused: Why it could not be scored, or None.
    """

    subject: int
    score: float | None
    p_decoy: float | None
    p_gibberish: float | None
    flags: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of an audit, for the auditor's own eyes.

    Attributes:
        text: The subject's text.
        verdict: What is kept of the verdict.
        q_value: The p-value adjusted over the list; None where there is none.
    """

    text: str
    verdict: KeptVerdict
    q_value: float | None


class AuditRows:
    """The subjects and verdicts of one audit."""

    def __init__(self, ledger: Ledger, audit: str) -> None:
        """Read and write through an open ledger.

        Args:
            ledger: Where they are kept.
            audit: The audit's id.
        """
        self._ledger = ledger
        self._engine = ledger.engine
        self._audit = audit

    def subjects(self) -> Iterator[Sequence[Listed]]:
        """All subjects in blocks, in the order of their numbers."""
        with self._reading("read the audit's list") as connection:
            rows = self._read(connection, _subjects(self._audit), LISTED, PEOPLE)
            while block := [self._listed(row) for row in islice(rows, _ROWS)]:
                yield block

    def list_digest(self) -> str:
        """Keyed digest of who is on the list, in whatever order; no text is opened for it."""
        query = _subjects(self._audit).order_by(None).order_by(PEOPLE.c.pseudonym)
        seen = hashlib.sha256()
        with self._reading("read the audit's list") as connection:
            for row in self._read(connection, query, LISTED, PEOPLE):
                seen.update(f"{row.pseudonym}\n".encode())
        return self._ledger.keys.content_digest(seen.digest())

    def on_list(self, texts: Sequence[str]) -> frozenset[int]:
        """Rows of ``texts`` that are subjects of the audit."""
        marks = [self._ledger.keys.pseudonym(text) for text in texts]
        listed: set[str] = set()
        with self._ledger.reading("look up the list") as connection:
            for start in range(0, len(marks), CHUNK):
                some = PEOPLE.c.pseudonym.in_(marks[start : start + CHUNK])
                query = _subjects(self._audit).where(some)
                listed |= {row.pseudonym for row in self._read(connection, query, LISTED, PEOPLE)}
        return frozenset(row for row, mark in enumerate(marks) if mark in listed)

    def shards_left(self) -> tuple[int, ...]:
        """Numbers of the shards that hold a subject without a verdict."""
        query = (
            select(LISTED.c.shard)
            .outerjoin(VERDICT, _same_row())
            .where(LISTED.c.audit == self._audit, VERDICT.c.subject.is_(None))
            .distinct()
            .order_by(LISTED.c.shard)
        )
        with self._ledger.reading("look for shards") as connection:
            return tuple(connection.scalars(query))

    def shard(self, number: int) -> tuple[Listed, ...]:
        """The subjects of a shard that have no verdict yet."""
        query = (
            _subjects(self._audit)
            .outerjoin(VERDICT, _same_row())
            .where(LISTED.c.shard == number, VERDICT.c.subject.is_(None))
        )
        with self._ledger.reading("read the shard") as connection:
            rows = self._read(connection, query, LISTED, PEOPLE)
            return tuple(self._listed(row) for row in rows)

    def write(self, verdicts: Collection[KeptVerdict]) -> int:
        """Write verdicts; a subject that has one, or was erased meanwhile, is left as it is.

        Returns:
            How many were written; none where the audit has ended.
        """
        rows = [
            {
                "audit": self._audit,
                "subject": one.subject,
                "score": one.score,
                "p_decoy": one.p_decoy,
                "p_gibberish": one.p_gibberish,
                "flags": one.flags,
                "refused": one.refused,
            }
            for one in sorted(verdicts, key=lambda one: one.subject)
        ]
        written = 0
        ended = select(ENTRY.c.written).where(ENTRY.c.id == self._audit).with_for_update(read=True)
        with self._ledger.writing("write the verdicts") as connection:
            if connection.scalar(ended) is not None:
                return 0
            for start in range(0, len(rows), CHUNK):
                some = rows[start : start + CHUNK]
                there = select(LISTED.c.subject).where(
                    LISTED.c.audit == self._audit,
                    LISTED.c.subject.in_([row["subject"] for row in some]),
                )
                still = set(connection.scalars(there))
                written += self._ledger.seals.add(
                    connection, VERDICT, [row for row in some if row["subject"] in still]
                )
        return written

    def levels(self, flag: str = "") -> dict[float, int]:
        """How many subjects have which p-value, counted from the verdicts.

        Args:
            flag: Count those alone whose verdict has it.
        """
        with self._reading("count the p-values") as connection:
            rows = self._read(connection, _verdicts(self._audit), VERDICT)
            return Counter(
                row.p_decoy
                for row in rows
                if row.p_decoy is not None and (not flag or flag in row.flags.split())
            )

    def kept_levels(self) -> dict[float, tuple[int, float]]:
        """p-value to how many subjects had it when the audit ended, and its q-value."""
        with self._reading("read the p-values") as connection:
            return self._levels(connection)

    def counts(self) -> tuple[int, int]:
        """How many subjects are listed, and how many have a verdict or a refusal.

        Raises:
            RowAltered: Rows of the list, or of an ended audit's verdicts, are missing.
        """
        with database_errors("count the verdicts"), snapshot(self._engine) as connection:
            return self._count(connection)

    def refusals(self) -> dict[str, int]:
        """How many subjects could not be scored, by reason."""
        with self._reading("count the refusals") as connection:
            rows = self._read(connection, _verdicts(self._audit), VERDICT)
            return Counter(row.refused for row in rows if row.refused is not None)

    def findings(self) -> Iterator[Finding]:
        """All verdicts with their texts, smallest p-value first, refusals last."""
        query = (
            select(VERDICT, PEOPLE)
            .outerjoin(PEOPLE, PEOPLE.c.id == VERDICT.c.subject)
            .where(VERDICT.c.audit == self._audit)
            .order_by(VERDICT.c.p_decoy.is_(None), VERDICT.c.p_decoy, VERDICT.c.subject)
        )
        with self._reading("read the verdicts") as connection:
            q_values = {p: q for p, (_, q) in self._levels(connection).items()}
            for row in self._read(connection, query, VERDICT, PEOPLE):
                yield Finding(self._listed(row).text, kept(row), q_values.get(row.p_decoy))

    def kept_verdicts(self, numbers: Sequence[int]) -> dict[int, KeptVerdict]:
        """Verdicts of some subjects, by number; `counts` tells whether any are missing."""
        verdicts: dict[int, KeptVerdict] = {}
        with self._ledger.reading("read the verdicts") as connection:
            for start in range(0, len(numbers), CHUNK):
                some = VERDICT.c.subject.in_(numbers[start : start + CHUNK])
                query = _verdicts(self._audit).where(some)
                for row in self._read(connection, query, VERDICT):
                    verdicts[row.subject] = kept(row)
        return verdicts

    @contextmanager
    def _reading(self, doing: str) -> Iterator[Connection]:
        """To read all rows of a kind, of which none is missing, as they were at one moment."""
        with database_errors(doing), snapshot(self._engine) as connection:
            self._count(connection)
            yield connection

    def _read(
        self, connection: Connection, query: Select[Any], *tables: Table
    ) -> Iterator[Row[Any]]:  # Any: columns of several types
        return self._ledger.seals.read(
            connection, query.execution_options(yield_per=_ROWS), *tables
        )

    def _count(self, connection: Connection) -> tuple[int, int]:
        entry = self._entry(connection)
        listed = connection.execute(_count(LISTED, self._audit)).scalar_one()
        # A verdict about somebody who is not listed would never be asked for.
        whose = _count(VERDICT, self._audit).join(LISTED, _same_row())
        written = connection.execute(whose).scalar_one()
        if listed != entry.listed:
            raise altered(LISTED)
        if entry.written not in (None, written):
            raise altered(VERDICT)
        return listed, written

    def _levels(self, connection: Connection) -> dict[float, tuple[int, float]]:
        query = select(LEVEL).where(LEVEL.c.audit == self._audit)
        rows = self._read(connection, query, LEVEL)
        levels = {row.p_decoy: (row.subjects, row.q_value) for row in rows}
        if self._entry(connection).levels not in (None, len(levels)):
            raise altered(LEVEL)
        return levels

    def _entry(self, connection: Connection) -> Row[Any]:
        row = self._ledger.seals.find(connection, ENTRY, ENTRY.c.id == self._audit)
        if row is None:
            raise AuditNotFound(f"audit {self._audit!r}: not in this ledger", "tuni audits list")
        return row

    def _listed(self, row: Row[tuple[Any, ...]]) -> Listed:  # Any: columns of several types
        subject = unwrap(self._ledger, row)
        return Listed(row.id, subject.unseal_text(row.sealed))


def kept(row: Row[tuple[Any, ...]]) -> KeptVerdict:  # Any: columns of several types
    """A verdict from its row."""
    return KeptVerdict(row.subject, row.score, row.p_decoy, row.p_gibberish, row.flags, row.refused)


def _subjects(audit: str) -> Select[tuple[Any, ...]]:  # Any: columns of several types
    # An outer join: a subject whose row is gone is altered, and not left out.
    return (
        select(LISTED, PEOPLE)
        .outerjoin(PEOPLE, PEOPLE.c.id == LISTED.c.subject)
        .where(LISTED.c.audit == audit)
        .order_by(LISTED.c.subject)
    )


def _verdicts(audit: str) -> Select[tuple[Any, ...]]:  # Any: columns of several types
    return select(VERDICT).where(VERDICT.c.audit == audit)


def _same_row() -> Any:  # Any: SQLAlchemy's expressions have no common public type
    return (VERDICT.c.audit == LISTED.c.audit) & (VERDICT.c.subject == LISTED.c.subject)


def _count(table: Any, audit: str) -> Select[Any]:  # Any: a table, and its count
    return select(func.count()).select_from(table).where(table.c.audit == audit)

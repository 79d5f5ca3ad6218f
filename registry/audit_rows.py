"""The subjects and verdicts of one audit: read in blocks, written once.

The one law: a verdict is inserted and never updated, and the first one stands, so a stale or
repeated worker changes nothing.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select

from registry import schema
from registry.database import CHUNK, database_errors, insert_ignore, take_turn
from registry.ledger import Ledger
from registry.subjects import unwrap

LISTED, VERDICT, LEVEL = schema.audit_subjects, schema.verdicts, schema.audit_levels
PEOPLE = schema.subjects
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
        query = _subjects(self._audit).order_by(PEOPLE.c.id).execution_options(yield_per=_ROWS)
        with database_errors("read the audit's list"), self._engine.connect() as connection:
            for rows in connection.execute(query).partitions():
                yield [self._listed(row) for row in rows]

    def list_digest(self) -> str:
        """Keyed digest of who is on the list, in whatever order; no text is opened for it."""
        query = (
            select(PEOPLE.c.pseudonym)
            .join(LISTED, LISTED.c.subject == PEOPLE.c.id)
            .where(LISTED.c.audit == self._audit)
            .order_by(PEOPLE.c.pseudonym)
            .execution_options(yield_per=_ROWS)
        )
        seen = hashlib.sha256()
        with database_errors("read the audit's list"), self._engine.connect() as connection:
            for mark in connection.scalars(query):
                seen.update(f"{mark}\n".encode())
        return self._ledger.keys.content_digest(seen.digest())

    def on_list(self, texts: Sequence[str]) -> frozenset[int]:
        """Rows of ``texts`` that are subjects of the audit."""
        marks = [self._ledger.keys.pseudonym(text) for text in texts]
        found: set[str] = set()
        query = (
            select(PEOPLE.c.pseudonym)
            .join(LISTED, LISTED.c.subject == PEOPLE.c.id)
            .where(LISTED.c.audit == self._audit)
        )
        with database_errors("look up the list"), self._engine.connect() as connection:
            for start in range(0, len(marks), CHUNK):
                some = PEOPLE.c.pseudonym.in_(marks[start : start + CHUNK])
                found |= set(connection.scalars(query.where(some)))
        return frozenset(row for row, mark in enumerate(marks) if mark in found)

    def shards_left(self) -> tuple[int, ...]:
        """Numbers of the shards that hold a subject without a verdict."""
        query = (
            select(LISTED.c.shard)
            .outerjoin(VERDICT, _same_row())
            .where(LISTED.c.audit == self._audit, VERDICT.c.subject.is_(None))
            .distinct()
            .order_by(LISTED.c.shard)
        )
        with database_errors("look for shards"), self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def shard(self, number: int) -> tuple[Listed, ...]:
        """The subjects of a shard that have no verdict yet."""
        query = (
            _subjects(self._audit)
            .outerjoin(VERDICT, _same_row())
            .where(LISTED.c.shard == number, VERDICT.c.subject.is_(None))
            .order_by(PEOPLE.c.id)
        )
        with database_errors("read the shard"), self._engine.connect() as connection:
            return tuple(self._listed(row) for row in connection.execute(query))

    def write(self, verdicts: Collection[KeptVerdict]) -> int:
        """Write verdicts; a subject that has one, or was erased meanwhile, is left as it is.

        Returns:
            How many were written.
        """
        rows = [
            {
                "audit": self._audit,
                "number": one.subject,
                "score": one.score,
                "p_decoy": one.p_decoy,
                "p_gibberish": one.p_gibberish,
                "flags": one.flags,
                "refused": one.refused,
            }
            for one in sorted(verdicts, key=lambda one: one.subject)
        ]
        written = 0
        add = insert_ignore(self._engine, VERDICT).returning(VERDICT.c.subject)
        with database_errors("write the verdicts"), self._engine.begin() as connection:
            take_turn(connection)
            for start in range(0, len(rows), CHUNK):
                some = {row.pop("number"): row for row in rows[start : start + CHUNK]}
                there = select(LISTED.c.subject).where(
                    LISTED.c.audit == self._audit, LISTED.c.subject.in_(list(some))
                )
                still = [some[number] | {"subject": number} for number in connection.scalars(there)]
                if still:
                    written += len(connection.scalars(add, still).all())
        return written

    def levels(self) -> dict[float, int]:
        """How many subjects have which p-value, counted from the verdicts."""
        query = (
            select(VERDICT.c.p_decoy, func.count())
            .where(VERDICT.c.audit == self._audit, VERDICT.c.p_decoy.is_not(None))
            .group_by(VERDICT.c.p_decoy)
        )
        with database_errors("count the p-values"), self._engine.connect() as connection:
            return {float(p): int(count) for p, count in connection.execute(query)}

    def kept_levels(self) -> dict[float, tuple[int, float]]:
        """p-value to how many subjects had it when the audit ended, and its q-value."""
        query = select(LEVEL).where(LEVEL.c.audit == self._audit)
        with database_errors("read the p-values"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {row.p_decoy: (row.subjects, row.q_value) for row in rows}

    def counts(self) -> tuple[int, int]:
        """How many subjects are listed, and how many have a verdict or a refusal."""
        with database_errors("count the verdicts"), self._engine.connect() as connection:
            listed = connection.execute(_count(LISTED, self._audit)).scalar_one()
            written = connection.execute(_count(VERDICT, self._audit)).scalar_one()
        return listed, written

    def refusals(self) -> dict[str, int]:
        """How many subjects could not be scored, by reason."""
        query = (
            select(VERDICT.c.refused, func.count())
            .where(VERDICT.c.audit == self._audit, VERDICT.c.refused.is_not(None))
            .group_by(VERDICT.c.refused)
        )
        with database_errors("count the refusals"), self._engine.connect() as connection:
            return {str(why): int(count) for why, count in connection.execute(query)}

    def findings(self) -> Iterator[Finding]:
        """All verdicts with their texts, smallest p-value first, refusals last."""
        query = (
            select(PEOPLE, VERDICT, LEVEL.c.q_value)
            .join(VERDICT, VERDICT.c.subject == PEOPLE.c.id)
            .outerjoin(
                LEVEL, (LEVEL.c.audit == VERDICT.c.audit) & (LEVEL.c.p_decoy == VERDICT.c.p_decoy)
            )
            .where(VERDICT.c.audit == self._audit)
            .order_by(VERDICT.c.p_decoy.is_(None), VERDICT.c.p_decoy, PEOPLE.c.id)
            .execution_options(yield_per=_ROWS)
        )
        with database_errors("read the verdicts"), self._engine.connect() as connection:
            for row in connection.execute(query):
                yield Finding(self._listed(row).text, kept(row), row.q_value)

    def kept_verdicts(self, numbers: Sequence[int]) -> dict[int, KeptVerdict]:
        """Verdicts of some subjects, by number."""
        found: dict[int, KeptVerdict] = {}
        query = select(VERDICT).where(VERDICT.c.audit == self._audit)
        with database_errors("read the verdicts"), self._engine.connect() as connection:
            for start in range(0, len(numbers), CHUNK):
                some = VERDICT.c.subject.in_(numbers[start : start + CHUNK])
                for row in connection.execute(query.where(some)):
                    found[row.subject] = kept(row)
        return found

    def _listed(self, row: Row[tuple[Any, ...]]) -> Listed:  # Any: columns of several types
        subject = unwrap(self._ledger, row.id, row.pseudonym, row.wrapped, row.generation)
        return Listed(row.id, subject.unseal_text(row.sealed))


def kept(row: Row[tuple[Any, ...]]) -> KeptVerdict:  # Any: columns of several types
    """A verdict from its row."""
    return KeptVerdict(row.subject, row.score, row.p_decoy, row.p_gibberish, row.flags, row.refused)


def _subjects(audit: str) -> Select[tuple[Any, ...]]:  # Any: columns of several types
    return (
        select(PEOPLE).join(LISTED, LISTED.c.subject == PEOPLE.c.id).where(LISTED.c.audit == audit)
    )


def _same_row() -> Any:  # Any: SQLAlchemy's expressions have no common public type
    return (VERDICT.c.audit == LISTED.c.audit) & (VERDICT.c.subject == LISTED.c.subject)


def _count(table: Any, audit: str) -> Select[Any]:  # Any: a table, and its count
    return select(func.count()).select_from(table).where(table.c.audit == audit)

"""Erasing people from the ledger, and letting old audits go.

The one law: with a subject's row go its data key, text, features, verdicts, list memberships and
pseudonym; what stays of an audit is its list of p-values, which belongs to nobody.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, delete, exists, func, select, text

from registry.ledger import schema
from registry.ledger.database import CHUNK, database_errors, take_turn
from registry.ledger.ledger import Ledger
from registry.ledger.rotation import owe
from registry.ledger.trail import Trail
from tuni.errors import HomeError

PEOPLE = schema.subjects
_EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
# A table's count of the rows that belong to one of its own.
_COUNTED = (
    (schema.watchlists, schema.watchlists.c.subjects, schema.watchlist_subjects),
    (schema.audits, schema.audits.c.listed, schema.audit_subjects),
    (schema.audits, schema.audits.c.written, schema.verdicts),
)
_HOLD = (schema.watchlist_subjects, schema.audit_subjects, schema.selections)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was let go, or would be.

    Attributes:
        audits: Audits that ended before the moment, with their verdicts.
        subjects: Subjects on no list, in no audit and in no choice of a detector, with features.
    """

    audits: int
    subjects: int


def forget(ledger: Ledger, texts: Sequence[str]) -> int:
    """Erase the subjects of some texts; how many of them were known.

    Args:
        ledger: Open.
        texts: Any spelling; unknown ones change nothing.

    Raises:
        HomeError: The database does not answer, and nothing was erased; or another process reads
            it, so that what was erased still stands in its files.
    """
    marks = sorted({ledger.keys.pseudonym(one) for one in texts})
    gone = 0
    with database_errors("erase the subjects"), ledger.engine.begin() as connection:
        take_turn(connection, erasing=True)
        for start in range(0, len(marks), CHUNK):
            some = PEOPLE.c.pseudonym.in_(marks[start : start + CHUNK])
            _count_out(ledger, connection, select(PEOPLE.c.id).where(some))
            gone += connection.execute(delete(PEOPLE).where(some)).rowcount
        if gone:
            owe(connection, ledger)
        Trail(ledger).append_in(connection, "subjects erased", asked=len(marks), erased=gone)
    sweep(ledger)
    return gone


def _count_out(ledger: Ledger, connection: Connection, people: Select[tuple[int]]) -> None:
    """Say in the rows of lists and audits how many they hold without these people."""
    for owner, column, table in _COUNTED:
        of = table.c[owner.name.removesuffix("s")]
        query = select(of, func.count()).where(table.c.subject.in_(people)).group_by(of)
        for key, count in connection.execute(query).all():
            row = ledger.seals.find(connection, owner, owner.c.id == key, to_change=True)
            if row is not None and row._mapping[column] is not None:
                values = {column.name: row._mapping[column] - count}
                ledger.seals.change(connection, owner, row, **values)


def prune(ledger: Ledger, before: datetime, *, dry_run: bool = False) -> Pruned:
    """Let audits go that ended before a moment, and subjects that nothing holds any more.

    Audits that never ended go too, if they began before it and nobody works on them.

    Args:
        ledger: Open.
        before: Audits that ended earlier go.
        dry_run: Only count.

    Raises:
        HomeError: The database does not answer; nothing was let go then.
    """
    idle = _idle(ledger, before)
    old = (schema.audits.c.ended_at < before) | schema.audits.c.id.in_(idle)
    with ledger.reading("prune") as connection:
        # One transaction, given up for a dry run: the subjects to go depend on the audits gone.
        take_turn(connection, erasing=True)
        audits = connection.execute(delete(schema.audits).where(old)).rowcount
        held = [exists().where(table.c.subject == PEOPLE.c.id) for table in _HOLD]
        loose = ~held[0] & ~held[1] & ~held[2]
        count = select(func.count()).select_from(PEOPLE).where(loose)
        subjects = int(connection.execute(count).scalar_one())
        if dry_run:
            connection.rollback()
            return Pruned(audits, subjects)
        connection.execute(delete(PEOPLE).where(loose))
        Trail(ledger).append_in(connection, "pruned", audits=audits, subjects=subjects)
        connection.commit()
    sweep(ledger)
    return Pruned(audits, subjects)


def _idle(ledger: Ledger, before: datetime) -> list[str]:
    """Audits that began before a moment, never ended, and that no process works on."""
    table = schema.audits
    query = select(table.c.id).where(table.c.ended_at.is_(None), table.c.created_at < before)
    with ledger.reading("look for audits") as connection:
        begun = list(connection.scalars(query))
    found = []
    for audit in begun:
        with suppress(HomeError), ledger.exclusive(f"audit-{audit}", 0.1):
            found.append(audit)
    return found


def sweep(ledger: Ledger) -> None:
    """Leave no bytes of deleted rows in the database's files.

    SQLite overwrites them by itself (``secure_delete``) once the write-ahead log is emptied;
    Postgres keeps dead rows until a VACUUM.
    """
    with database_errors("sweep the database"):
        if ledger.engine.dialect.name == "sqlite":
            with ledger.engine.connect() as connection:
                connection.rollback()  # the pragma must stand outside a transaction
                raw = connection.connection.driver_connection
                busy = raw is not None and raw.execute(_EMPTY_LOG).fetchone()[0]
            if busy:
                raise HomeError(
                    "ledger: deleted rows still stand in its write-ahead log, since another tuni "
                    "process reads it",
                    "let the other process end, then repeat the command",
                )
            return
        alone = ledger.engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.connect() as connection:
            for table in schema.metadata.sorted_tables:
                connection.execute(text(f"VACUUM {table.name}"))

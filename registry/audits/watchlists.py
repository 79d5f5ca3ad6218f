"""Watch lists: named lists of people who are audited again and again.

A list is numbers of subjects, and how many there are; texts and the other columns of a row lie
encrypted with each subject's data key. Importing the same rows twice is importing them once.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from registry.ledger import schema
from registry.ledger.database import database_errors, moment
from registry.ledger.ledger import Ledger
from registry.ledger.row_seals import altered
from registry.ledger.subjects import Subject, unwrap, write_about
from registry.ledger.trail import Trail
from tuni.errors import RequestError, WatchlistNotFound

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ROWS = 2000

LISTS, MEMBERS, PEOPLE = schema.watchlists, schema.watchlist_subjects, schema.subjects


@dataclass(frozen=True, slots=True)
class Watchlist:
    """One list.

    Attributes:
        id: Number in the ledger.
        name: What people call it; stands in logs, MLflow and Prefect, so it names nobody.
        subjects: How many it holds.
        created_at: When it was made, UTC.
    """

    id: int
    name: str
    subjects: int
    created_at: datetime

    def record(self) -> dict[str, str | int]:
        """As JSON."""
        return {
            "name": self.name,
            "subjects": self.subjects,
            "created_at": self.created_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True)
class Member:
    """One subject of a list.

    Attributes:
        text: The subject's text, spelled as it was first imported.
        columns: The other columns of the row that was imported.
    """

    text: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    Attributes:
        new: Subjects that the list did not hold.
        known: Subjects that it held already.
        repeated: Further rows of the file about a subject of it.
    """

    new: int
    known: int
    repeated: int


class Watchlists:
    """The watch lists of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Read and write through an open ledger."""
        self._ledger = ledger

    def add(self, name: str, members: Iterable[Member]) -> Imported:
        """Add subjects to a list, which is made where it is new.

        A subject that the list holds keeps its spelling and its other columns. What is held of
        the rows is a block of them, and a number for each subject.

        Args:
            name: Of the list.
            members: Rows with clean texts, none of which would be refused.

        Raises:
            RequestError: Not a name for a list.
            HomeError: The database does not answer.
        """
        check_list_name(name)
        listed = self._make(name)
        seen: set[int] = set()
        rows = new = 0
        left = iter(members)
        while some := list(islice(left, _ROWS)):
            rows += len(some)
            first: dict[str, Member] = {}
            for member in some:
                first.setdefault(self._ledger.keys.pseudonym(member.text), member)
            new += self._add_some(listed, dict(sorted(first.items())))
            seen |= {int(mark[:16], 16) for mark in first}
        Trail(self._ledger).append(
            "watch list imported", watchlist=name, new=new, known=len(seen) - new
        )
        return Imported(new, len(seen) - new, rows - len(seen))

    def list(self) -> tuple[Watchlist, ...]:
        """All lists, by name."""
        count = (
            select(func.count())
            .select_from(MEMBERS)
            .where(MEMBERS.c.watchlist == LISTS.c.id)
            .scalar_subquery()
        )
        query = select(LISTS, count.label("members")).order_by(LISTS.c.name)
        with self._ledger.reading("list the watch lists") as connection:
            rows = list(self._ledger.seals.read(connection, query, LISTS))
        if any(row.members != row.subjects for row in rows):
            raise altered(MEMBERS)
        return tuple(
            Watchlist(row.id, row.name, row.subjects, moment(row.created_at)) for row in rows
        )

    def get(self, name: str) -> Watchlist:
        """One list.

        Raises:
            WatchlistNotFound: There is none of this name.
        """
        known = self.list()
        for entry in known:
            if entry.name == name:
                return entry
        there = ", ".join(entry.name for entry in known[:10]) or "none yet"
        raise WatchlistNotFound(
            f"watch list {name!r}: not in this ledger (there: {there})",
            "`tuni watchlist list` shows them; `tuni watchlist import` makes one",
        )

    def members(self, name: str) -> Iterator[Member]:
        """The subjects of a list, in the order of their numbers, which says nothing of them.

        Raises:
            WatchlistNotFound: There is none of this name.
            HomeError: A value was altered, or the database does not answer.
        """
        listed = self.get(name)
        query = (
            select(MEMBERS, PEOPLE)
            .outerjoin(PEOPLE, PEOPLE.c.id == MEMBERS.c.subject)
            .where(MEMBERS.c.watchlist == listed.id)
            .order_by(MEMBERS.c.subject)
            .execution_options(yield_per=_ROWS)
        )
        with self._ledger.reading("read the watch list") as connection:
            for row in self._ledger.seals.read(connection, query, MEMBERS, PEOPLE):
                yield self._member(row, listed.id)

    def delete(self, name: str) -> None:
        """Delete a list; audits of it and what else the ledger knows of its subjects stay.

        Raises:
            WatchlistNotFound: There is none of this name.
        """
        listed = self.get(name)
        with database_errors("delete the watch list"), self._ledger.engine.begin() as connection:
            Trail(self._ledger).append_in(
                connection, "watch list deleted", watchlist=name, subjects=listed.subjects
            )
            connection.execute(delete(LISTS).where(LISTS.c.id == listed.id))

    def _make(self, name: str) -> int:
        values = {"name": name, "created_at": datetime.now(UTC), "subjects": 0}
        with self._ledger.writing("make the watch list") as connection:
            self._ledger.seals.add(connection, LISTS, [values])
            row = self._ledger.seals.find(connection, LISTS, LISTS.c.name == name)
        if row is None:
            raise altered(LISTS)
        return int(row.id)

    def _add_some(self, listed: int, some: Mapping[str, Member]) -> int:
        """Add a block of subjects, by pseudonym; how many were new to the list."""
        keep = (
            update(PEOPLE)
            .where(PEOPLE.c.id == bindparam("key"), PEOPLE.c.sealed.is_(None))
            .values(sealed=bindparam("text"))
        )
        seals = self._ledger.seals

        def write(connection: Connection, people: Mapping[str, Subject]) -> int:
            texts, rows = [], []
            for mark, member in some.items():
                subject = people[mark]
                texts.append({"key": subject.id, "text": subject.seal_text(member.text)})
                columns = json.dumps(dict(member.columns), ensure_ascii=False).encode()
                sealed = subject.seal(columns, _place(listed)) if member.columns else None
                rows.append({"watchlist": listed, "subject": subject.id, "sealed": sealed})
            connection.execute(keep, texts)
            row = seals.find(connection, LISTS, LISTS.c.id == listed, to_change=True)
            if row is None:
                raise WatchlistNotFound(
                    "watch list: was deleted while it was imported", "repeat the import"
                )
            new = seals.add(connection, MEMBERS, rows)
            seals.change(connection, LISTS, row, subjects=row.subjects + new)
            return new

        spelled = [member.text for member in some.values()]
        return write_about(self._ledger, spelled, "add to the watch list", write)

    def _member(self, row: Row[Any], listed: int) -> Member:  # Any: columns of several types
        subject = unwrap(self._ledger, row)
        sealed = row._mapping[MEMBERS.c.sealed]
        columns = subject.unseal(sealed, _place(listed)) if sealed else b"{}"
        return Member(subject.unseal_text(row._mapping[PEOPLE.c.sealed]), json.loads(columns))


def check_list_name(name: str) -> str:
    """The name, if it may be a list's: it stands where many can read it.

    Raises:
        RequestError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise RequestError(
            "--name: not a name for a watch list",
            "use lower-case letters, digits and . _ - (at most 100, a letter or digit first), and "
            "name nobody: it is shown in MLflow and Prefect",
        )
    return name


def _place(listed: int) -> str:
    return f"columns {listed}"

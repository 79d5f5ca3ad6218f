"""Row seals: a row of the ledger is believed only if tuni itself wrote it so.

Each row carries a keyed digest of its table and its columns. It is written by `add` and `change`
and read by `read`, which refuses a row that was changed, or moved from another place, outside tuni.
What lies encrypted in a row, bound to its place, is left out of the seal: its own key refuses it.

A seal tells of one row. Rows that are missing are told by the counts that a list's and an audit's
own row keep.
"""

import hmac
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    Table,
    bindparam,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from registry.keys.home_key import derive
from registry.ledger import schema
from registry.ledger.database import CHUNK, insert_ignore, moment
from tuni.errors import RowAltered

SEAL_BYTES = 16
_ROWS = 2000
_TRIES = 20
SEALED = tuple(table for table in schema.metadata.sorted_tables if "seal" in table.columns)
_COLUMNS = {
    table: tuple(column for column in table.columns if column.info.get("sealed", True))
    for table in SEALED
}
_CELLS = {table: itemgetter(*columns) for table, columns in _COLUMNS.items()}
_DOUBLES = {
    table: [place for place, column in enumerate(columns) if isinstance(column.type, Double)]
    for table, columns in _COLUMNS.items()
}
_NUMBER_BITS = {
    table: table.c.id.info["bits"]
    for table in SEALED
    if "id" in table.columns and "bits" in table.c.id.info
}
# By what a row is there already: never by a drawn number, which another row may have.
_KNOWN_BY = {
    table: [column for column in table.columns if column.unique]
    if table in _NUMBER_BITS
    else list(table.primary_key)
    for table in SEALED
}

Values = Mapping[str, Any]  # Any: values of columns of several types


class RowSeals:
    """Reads and writes sealed rows, with a key derived from a ledger's root secret."""

    def __init__(self, root: bytes) -> None:
        """Derive the key.

        Args:
            root: The root secret, 32 bytes; it outlives every rotation of the home's key.
        """
        self._key = derive(root, "rows")

    def read(
        self,
        connection: Connection,
        query: Select[Any],  # Any: columns of several types
        *tables: Table,
    ) -> Iterator[Row[Any]]:
        """Rows of a query, each checked before it is given.

        Args:
            connection: To ask.
            query: Selects all sealed columns of these tables, and whatever else.
            tables: Whose seals are checked.

        Raises:
            RowAltered: A row does not fit its seal, or has none.
        """
        try:
            with connection.execute(query) as rows:
                for row in rows:
                    for table in tables:
                        self._check(table, row)
                    yield row
        except (ValueError, TypeError, OverflowError) as error:  # SQLite keeps a text in any column
            raise altered(tables[0]) from error

    def find(
        self,
        connection: Connection,
        table: Table,
        where: ColumnElement[bool],
        *,
        to_change: bool = False,
    ) -> Row[Any] | None:
        """The one row of a table that fits, or None.

        Args:
            connection: To ask.
            table: Whose row.
            where: Which row.
            to_change: Nobody else changes it until the transaction ends.

        Raises:
            RowAltered: It does not fit its seal.
        """
        query = select(table).where(where)
        if to_change:
            query = query.with_for_update(key_share=True)  # rows that refer to it are still added
        rows = list(self.read(connection, query, table))
        return rows[0] if rows else None

    def change(self, connection: Connection, table: Table, row: Row[Any], **values: Any) -> None:
        """Change a row that `find` gave in the same transaction, to be changed.

        Args:
            connection: In a transaction.
            table: Of the row.
            row: As it is.
            values: What is to change.
        """
        fresh = {column.name: row._mapping[column] for column in table.columns} | values
        mine = [column == row._mapping[column] for column in table.primary_key]
        seal = self._seal(table, fresh)
        connection.execute(update(table).where(*mine).values(**values, seal=seal))

    def add(self, connection: Connection, table: Table, rows: Sequence[Values]) -> int:
        """Insert rows where there are none with their keys; how many were new.

        Args:
            connection: In a transaction.
            table: Where they go.
            rows: Column to value, each with another key; all hold the same columns. A number that
                is drawn here is left out.

        Raises:
            RowAltered: The database took a row for known, and does not have it.
        """
        new = 0
        for start in range(0, len(rows), CHUNK):
            new += self._add_some(connection, table, rows[start : start + CHUNK])
        return new

    def seal_all(self, connection: Connection) -> int:
        """Seal every row as it is now; how many there are.

        For a ledger that was written before there were seals, once.
        """
        count = 0
        for table in SEALED:
            key = tuple_(*table.primary_key)
            query = select(*_COLUMNS[table]).order_by(*table.primary_key).limit(_ROWS)
            mine = [column == bindparam(f"_{column.name}") for column in table.primary_key]
            change = update(table).where(*mine).values(seal=bindparam("mark"))
            rows = connection.execute(query).all()
            while rows:
                connection.execute(change, [self._mark(table, row) for row in rows])
                count += len(rows)
                last = [rows[-1]._mapping[column] for column in table.primary_key]
                rows = connection.execute(query.where(key > tuple_(*last))).all()
        return count

    def _mark(self, table: Table, row: Row[Any]) -> dict[str, Any]:
        keys = {f"_{column.name}": row._mapping[column] for column in table.primary_key}
        return keys | {"mark": self._digest(table, list(row))}

    def _add_some(self, connection: Connection, table: Table, rows: Sequence[Values]) -> int:
        if table not in _NUMBER_BITS:
            return self._insert(connection, table, rows)
        for _ in range(_TRIES):
            # A number that another row has is drawn anew.
            with suppress(IntegrityError), connection.begin_nested():
                return self._insert(connection, table, _numbered(table, rows))
        return self._insert(connection, table, _numbered(table, rows))

    def _insert(self, connection: Connection, table: Table, rows: Sequence[Values]) -> int:
        sealed = [{**row, "seal": self._seal(table, row)} for row in rows]
        known = _KNOWN_BY[table]
        add = insert_ignore(connection, table, *known) if known else table.insert()
        new = len(connection.execute(add.returning(*table.primary_key), sealed).all())
        if new < len(rows):
            keys = [[row[column.name] for column in known] for row in rows]
            there = select(func.count()).select_from(table).where(tuple_(*known).in_(keys))
            if not known or connection.scalar(there) != len(rows):
                raise altered(table)
        return new

    def _check(self, table: Table, row: Row[Any]) -> None:
        cells = row._mapping
        seal = cells[table.c.seal]
        expected = self._digest(table, list(_CELLS[table](cells)))
        if not (isinstance(seal, bytes) and hmac.compare_digest(seal, expected)):
            raise altered(table)

    def _seal(self, table: Table, values: Values) -> bytes:
        return self._digest(table, [values.get(column.name) for column in _COLUMNS[table]])

    def _digest(self, table: Table, values: list[Any]) -> bytes:
        for place in _DOUBLES[table]:
            # A whole number that was given for a double comes back as a double.
            if isinstance(values[place], int):
                values[place] = float(values[place])
        content = _encode([table.name, *values])
        return hmac.digest(self._key, content.encode(), "sha256")[:SEAL_BYTES]


def altered(table: Table) -> RowAltered:
    """What is raised for a row that does not fit its seal, or is missing."""
    return RowAltered(
        f"ledger: rows of its table {table.name} were changed, moved or removed outside tuni, or "
        "written with another key",
        "find out who can write to the ledger's database; restore it together with its key from a "
        "backup",
    )


def _numbered(table: Table, rows: Sequence[Values]) -> list[Values]:
    first = 1 + secrets.randbelow(2 ** _NUMBER_BITS[table] - len(rows))
    # Counted from there on: in the database's trees rows lie together that are written together.
    return [{"id": number, **row} for number, row in enumerate(rows, start=first)]


def _plain(value: object) -> object:
    """As JSON, so that no value of another type looks the same."""
    if isinstance(value, datetime):
        return {"utc": moment(value).isoformat()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    raise TypeError(f"no column holds a {type(value).__name__}")


_encode = json.JSONEncoder(default=_plain).encode

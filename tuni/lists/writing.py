"""Tables that we write: CSV, Parquet or JSON Lines, row by row.

A file is written whole or not at all, for its owner only, and a CSV holds nothing that a
spreadsheet would run.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tuni.errors import RequestError
from tuni.files import output
from tuni.lists.files import BATCH, JSON_LINES, PARQUET, unknown_suffix

if TYPE_CHECKING:
    import pyarrow as pa

# Signs at which Excel, LibreOffice or Google Sheets begin a formula (OWASP), wide forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Rows = Iterable[Mapping[str, Any]]  # Any: what a cell may hold


def check_table(path: Path) -> None:
    """Refuse a name whose suffix no table of ours has, before anything is computed.

    Raises:
        RequestError: It has none of theirs.
    """
    if unknown_suffix(path) is not None:
        raise RequestError(
            f"{path.name}: a table cannot be written as {path.suffix}",
            "call it .csv, .parquet or .jsonl",
        )


def write_table(
    path: Path,
    columns: Sequence[str],
    rows: Rows,
    types: "Mapping[str, pa.DataType] | None" = None,
) -> None:
    """Write a table in the format of its suffix: .parquet, .pq; .jsonl, .ndjson; else CSV.

    Args:
        path: Where to; see `tuni.files.output`.
        columns: Names and order; other keys of a row are left out, missing ones are empty.
        rows: One mapping per row.
        types: Arrow types of the columns, for Parquet; a column without one holds strings.

    Raises:
        RequestError: It cannot be written there or so, or a value fits no column.
        EnvironmentFault: The disk is full or failed.
    """
    check_table(path)
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        with output(path) as file:
            _write_parquet(file, path, columns, rows, types or {})
    elif suffix in JSON_LINES:
        with output(path) as file:
            for row in rows:
                line = {column: row.get(column) for column in columns}
                file.write(_bytes(json.dumps(line, ensure_ascii=False, default=str)) + b"\n")
    else:
        write_csv(path, columns, rows)


def write_csv(path: Path, columns: Sequence[str], rows: Rows) -> None:
    """Write a table for people and spreadsheets.

    The file is UTF-8. None is an empty cell; a float is written so that it reads back equal. A
    cell that a spreadsheet could take for a formula gets a leading apostrophe, unless it is a
    plain number.

    Args:
        path: Where to; see `tuni.files.output`.
        columns: Header and order; other keys of a row are left out, missing ones are empty.
        rows: One mapping per row.

    Raises:
        RequestError: It cannot be written there.
        EnvironmentFault: The disk is full or failed.
    """
    with output(path) as binary:
        file = _Encoded(binary.write)
        plain = csv.writer(file, lineterminator="\n")
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writerow([_cell(column) for column in columns])
        for row in rows:
            cells = [_cell(row.get(column)) for column in columns]
            # Python quotes a carriage return only where it ends lines.
            (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)


class _Encoded:
    """A text file for the csv module, on a binary one."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        self._write(_bytes(text))


def _write_parquet(
    file: IO[bytes],
    path: Path,
    columns: Sequence[str],
    rows: Rows,
    types: "Mapping[str, pa.DataType]",
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {column: types.get(column, pa.string()) for column in columns}
    schema = pa.schema([(_whole(column), kind) for column, kind in kinds.items()])
    text = {column for column, kind in kinds.items() if pa.types.is_string(kind)}
    left = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(left, BATCH)):
            table = {
                _whole(column): [_word(row.get(column)) if column in text else row.get(column)
                                 for row in some]
                for column in columns
            }  # fmt: skip
            try:
                writer.write_batch(pa.RecordBatch.from_pydict(table, schema))
            except pa.ArrowException as error:
                raise RequestError(
                    f"{path.name}: a column of the input cannot be written as Parquet "
                    f"({type(error).__name__})",
                    "write CSV or JSON Lines, or leave that column out of the input",
                ) from None  # the cause may quote a value


def _word(value: Any) -> str | None:  # Any: JSON
    """A value as a string; what is none already as JSON."""
    if value is None:
        return None
    return _whole(value) if isinstance(value, str) else json.dumps(value, default=str)


def _bytes(text: str) -> bytes:
    """UTF-8, in which half of a surrogate pair, which no file can hold, is written out."""
    return text.encode("utf-8", "backslashreplace")


def _whole(text: str) -> str:
    return _bytes(text).decode()


def _cell(value: object) -> str:
    """A value as a cell that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        cell = repr(float(value))
    else:
        cell = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell

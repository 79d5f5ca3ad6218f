"""A list in a file, read row by row: CSV, Parquet or JSON Lines, by the file's suffix.

The one law: a list of any length takes the memory of a few thousand rows, and can be read again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuni.errors import TextError
from tuni.lists.csv_rows import CsvRows, Wrong, check_columns, lines, require_unchanged, stamp
from tuni.texts.text import refusal

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = (".parquet", ".pq")
JSON_LINES = (".jsonl", ".ndjson")
CSV = (".csv", ".txt", "")
BATCH = 2048  # rows of Parquet that are held at once

Row = Mapping[str, Any]  # Any: what a cell of such a file may hold


class SubjectRows(Protocol):
    """A table with a column ``text`` that can be read again and again.

    Attributes:
        unit: What a row's number counts: ``"line"`` or ``"row"``.
    """

    unit: str

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Each row with its number, from 1; a value that is not there is None.

        Raises:
            TextError: The file is not such a table, or was changed since it was opened.
        """
        ...


class SubjectFile(SubjectRows, Protocol):
    """Such a table in a file.

    Attributes:
        columns: All of them, in the file's order.
        types: Arrow types of the columns, or None where the file has none.
    """

    columns: tuple[str, ...]
    types: "Mapping[str, pa.DataType] | None"


def open_subjects(path: Path, instead: Sequence[str] = ()) -> SubjectFile:
    """Open a list.

    Args:
        path: Its suffix says what it is: Parquet (.parquet, .pq), JSON Lines (.jsonl, .ndjson),
            CSV in UTF-8 with a header (.csv, .txt, or none).
        instead: Columns that together do in the place of ``text``.

    Raises:
        TextError: No file, not of that kind or of another one, or without a column ``text``.
    """
    suffix = path.suffix.lower()
    if (mend := unknown_suffix(path)) is not None:
        raise TextError(f"{path.name}: a list cannot be read from a file {suffix}", mend)
    if suffix in PARQUET:
        return ParquetRows(path, instead)
    if suffix in JSON_LINES:
        return JsonLinesRows(path, instead)
    return CsvRows(path, instead=instead)


def unknown_suffix(path: Path) -> str | None:
    """What to do about a suffix that no table of ours has; None where it is one of theirs."""
    suffix = path.suffix.lower()
    if suffix in (*PARQUET, *JSON_LINES, *CSV):
        return None
    if suffix == ".json":
        return "write an object a line and call it .jsonl (jq -c '.[]' does it)"
    return "save it as .csv in UTF-8, .parquet or .jsonl"


def text_refusal(value: object) -> str | None:
    """Why a cell of the column ``text`` may not be scored, or None."""
    if value is not None and not isinstance(value, str):
        return "text is not a string"
    reason = refusal(value or "")
    return None if reason is None else f"text {reason}"


class ParquetRows:
    """A Parquet file; see `SubjectFile`."""

    unit = "row"

    def __init__(self, path: Path, instead: Sequence[str] = ()) -> None:
        """Read the schema.

        Args:
            path: The file.
            instead: Columns that together do in the place of ``text``.

        Raises:
            TextError: Not Parquet, or no column of texts.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._stamp = stamp(path)
        with _readable(path), pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
        self.columns = tuple(schema.names)
        check_columns(path, self.columns, ("text",), "name the column of names text", instead)
        plain = {field.name: _plain(field.type) for field in schema}
        self.types: Mapping[str, pa.DataType] | None = plain
        for column in ("text",) if "text" in plain else instead:
            if plain[column] not in (pa.string(), pa.large_string(), pa.string_view()):
                raise TextError(
                    f"{path.name}: column {column} holds no texts", "make it a string column"
                )
        if not count:
            raise TextError(f"{path.name}: has no rows", "add a row for each text")

    def rows(self) -> Iterator[tuple[int, Row]]:
        """See `SubjectRows.rows`."""
        import pyarrow.parquet as pq

        number = 0
        with _readable(self._path), pq.ParquetFile(self._path, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        require_unchanged(self._path, self._stamp)


class JsonLinesRows:
    """JSON Lines: an object in each line; see `SubjectFile`."""

    unit = "line"
    types: "Mapping[str, pa.DataType] | None" = None

    def __init__(self, path: Path, instead: Sequence[str] = ()) -> None:
        """Read the file once, to know its columns.

        Args:
            path: The file.
            instead: Columns that together do in the place of ``text``.

        Raises:
            TextError: A line is no JSON object, or none has a key ``text``.
        """
        self._path = path
        self._stamp = stamp(path)
        names: dict[str, None] = {}
        wrong = Wrong(path.name)
        for line, row in self._parsed():
            if row is None and line == 1 and self._begins_an_array():
                raise TextError(
                    f"{path.name}: is one JSON array, not JSON Lines",
                    "write an object a line (jq -c '.[]' does it)",
                )
            if row is None:
                wrong.add(line, "is not a JSON object")
            else:
                names |= dict.fromkeys(row)
        wrong.refuse()
        if not names:
            raise TextError(f"{path.name}: is empty", 'write {"text": …} for each text')
        self.columns = tuple(names)
        check_columns(path, self.columns, ("text",), 'write {"text": …} for each text', instead)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """See `SubjectRows.rows`."""
        for line, row in self._parsed():
            yield line, row or {}
        require_unchanged(self._path, self._stamp)

    def _begins_an_array(self) -> bool:
        return next(iter(lines(self._path, "")), "").lstrip().startswith("[")

    def _parsed(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        for number, line in enumerate(lines(self._path, "save it as JSON Lines in UTF-8"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield number, row if isinstance(row, dict) else None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what Arrow and the system say about a file into a `TextError`."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, ValueError, OverflowError) as error:  # also not UTF-8
        raise TextError(
            f"{path.name}: cannot be read as Parquet ({type(error).__name__})", "write it again"
        ) from None  # the cause may quote the file


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """The type of the values of a dictionary-encoded column."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind

"""Rows of a CSV, one after the other, in memory that one line alone decides.

The one law: what is wrong is told with the file and the lines, never with the text, and a file
that changes while it is read is refused.
"""

import csv
import io
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from tuni.errors import TextError
from tuni.texts.kind import FIELDS

MAX_LINE = 2**24  # characters
_LISTED = 5
_SAVE_AS = "save it as CSV in UTF-8"
_SEPARATOR = re.compile(r"sep=([,;\t|])[\r\n]*")


class Wrong:
    """What is wrong with a list: the first lines and how many there are."""

    def __init__(self, source: str, fix: str = "correct or remove these lines") -> None:
        """Start without any.

        Args:
            source: What messages call the list, such as the file's name.
            fix: What to do about it.
        """
        self._source = source
        self._fix = fix
        self._told: list[str] = []
        self._count = 0

    def add(self, place: int, reason: str, unit: str = "line") -> None:
        """Add a line, or a row."""
        self._count += 1
        if self._count <= _LISTED:
            self._told.append(f"{unit} {place}: {reason}")

    def refuse(self) -> None:
        """Refuse the file.

        Raises:
            TextError: Something was added.
        """
        if self._count:
            more = f"; and {self._count - _LISTED} more" if self._count > _LISTED else ""
            raise TextError(f"{self._source}: {'; '.join(self._told)}{more}", self._fix)


class CsvRows:
    """A CSV in UTF-8 with a header; each call of `rows` reads it again.

    Attributes:
        columns: Its header, in its order.
    """

    unit = "line"
    types: Mapping[str, Any] | None = None  # Any: Arrow's types, of which a CSV has none

    def __init__(
        self,
        path: Path,
        needed: Sequence[str] = ("text",),
        content: bytes | None = None,
        instead: Sequence[str] = (),
    ) -> None:
        """Read the header.

        Args:
            path: The file.
            needed: Columns that must be there.
            content: What it holds, where that was read already.
            instead: Columns that together do in the place of ``text``.

        Raises:
            TextError: No file, not a table, empty, or without a column.
        """
        self._path, self._content = path, content
        self._stamp = None if content is not None else stamp(path)
        # The first call of `rows` goes on behind the header: the file is opened once for both.
        self._behind_header: Iterator[tuple[int, list[str]]] | None = self._records()
        first = next(self._behind_header, None)
        if first is None:
            raise TextError(f"{path.name}: is empty", _header_fix(needed))
        self.columns = _header(path, first[1], needed, instead)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row with the line it begins at; empty lines are left out.

        Raises:
            TextError: No rows, or not of this shape; told at the end, with all such lines.
        """
        records, self._behind_header = self._behind_header, None
        if records is None:
            records = self._records()
            next(records, None)
        wrong = Wrong(self._path.name)
        width, empty = len(self.columns), True
        for line, record in records:
            empty = False
            if len(record) != width:
                wrong.add(line, f"has {len(record)} columns instead of {width}")
                continue
            yield line, dict(zip(self.columns, record, strict=True))
        if empty:
            raise TextError(
                f"{self._path.name}: has a header but no rows", "add a row for each text"
            )
        wrong.refuse()
        if self._stamp is not None:
            require_unchanged(self._path, self._stamp)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        source = lines(self._path, _SAVE_AS, self._content)
        first = next(source, "")
        told = _SEPARATOR.fullmatch(first)  # a line that spreadsheets write and read
        begins = 2 if told else 1
        reader = csv.reader(
            source if told else chain([first] if first else [], source),
            delimiter=told[1] if told else ",",
            strict=True,
        )
        try:
            for record in reader:
                if record:
                    yield begins, record
                begins = reader.line_num + (2 if told else 1)
        except csv.Error as error:
            reason = "a field is too large" if "limit" in str(error) else "the quotes do not match"
            raise TextError(
                f"{self._path.name}: cannot be read as CSV at line {begins}: {reason}",
                f"check the quotes there, and {_SAVE_AS}",
            ) from None  # the cause may quote the file


def lines(path: Path, fix: str, content: bytes | None = None) -> Iterator[str]:
    """Lines of a text file with their ends, those of any system.

    Args:
        path: The file, in UTF-8, with or without a byte order mark.
        fix: How to save it.
        content: What it holds, where that was read already.

    Raises:
        TextError: Not readable, not UTF-8, or not text; names the line.
    """
    number = 0
    try:
        with (
            reading(path),
            _opened(path, content) as source,
            io.TextIOWrapper(source, encoding="utf-8-sig", newline="") as file,
        ):
            while line := file.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE:
                    raise TextError(f"{path.name}: line {number} does not end", fix)
                if "\0" in line:
                    raise TextError(f"{path.name}: holds a NUL character (line {number})", fix)
                yield line
    except UnicodeDecodeError:
        # The cause would carry the file's bytes.
        raise TextError(
            f"{path.name}: is not UTF-8 (line {_undecoded(path, content)})", fix
        ) from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into a `TextError`."""
    try:
        yield
    except OSError as error:
        raise TextError(
            f"{path.name}: cannot be read ({error.strerror or type(error).__name__})",
            "name a file that exists and that you may read",
        ) from error


def stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file does.

    Raises:
        TextError: There is none, or it is no plain file and could not be read twice.
    """
    with reading(path):
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise TextError(
            f"{path.name}: cannot be read (not a plain file)", "write the list to a file first"
        )
    return found.st_size, found.st_mtime_ns, found.st_ino


def require_unchanged(path: Path, before: tuple[int, int, int]) -> None:
    """Refuse a file that is not what it was.

    Raises:
        TextError: It was changed.
    """
    if stamp(path) != before:
        raise TextError(f"{path.name}: was changed while it was read", "run the command again")


def check_columns(
    path: Path,
    columns: Sequence[str],
    needed: Sequence[str],
    fix: str,
    instead: Sequence[str] = (),
) -> None:
    """Refuse a table that lacks a column or has one twice.

    Args:
        path: Of the table.
        columns: That it has.
        needed: That it must have.
        fix: What to do about it.
        instead: Columns that together do in the place of ``text``.

    Raises:
        TextError: It does; no column's name is quoted.
    """
    composed = bool(instead) and "text" not in columns and {*instead} <= {*columns}
    for column in needed:
        if column == "text" and composed:
            continue
        if column not in columns:
            # The header is not quoted: without one, its place holds a person's name.
            if column == "text" and len(instead) < 2 and len({*columns} & {*FIELDS}) > 1:
                fix = (
                    "lists of several fields about one person are for `tuni score` with --kind for "
                    "each; elsewhere give one column text"
                )
            count = f"{len(columns)} column" + ("s" if len(columns) != 1 else "")
            other = (
                "" if column != "text" or instead in ((), ("name",)) else f" nor {_all(instead)}"
            )
            raise TextError(f"{path.name}: no column {column}{other}, {count} of other names", fix)
    if len(set(columns)) < len(columns):
        places = [str(i + 1) for i, name in enumerate(columns) if name in columns[:i]]
        raise TextError(
            f"{path.name}: column {', '.join(places[:_LISTED])} has the name of an earlier one",
            "give every column a name of its own",
        )


def _all(columns: Sequence[str]) -> str:
    return " and ".join(columns)


def _header(
    path: Path, record: Sequence[str], needed: Sequence[str], instead: Sequence[str]
) -> tuple[str, ...]:
    header = tuple(cell.strip() for cell in record)
    fix = _header_fix(needed)
    if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
        fix = f"separate columns by commas; {fix}"
    check_columns(path, header, needed, fix, instead)
    return header


def _header_fix(needed: Sequence[str]) -> str:
    """How the first line must look."""
    return f"make {','.join(needed)} the first line"


def _opened(path: Path, content: bytes | None) -> BinaryIO:
    return path.open("rb") if content is None else io.BytesIO(content)


def _undecoded(path: Path, content: bytes | None) -> int:
    """The first line that is not UTF-8; no character of it spans two lines."""
    with reading(path), _opened(path, content) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1

"""Tables of texts: what we read (labelled people, lists) and what we write.

The one law: a table is read whole or refused whole, with the file and the lines that are wrong
(never the text), and written whole or not at all. Reading gives back what a person typed, cleaned;
writing gives nothing that a spreadsheet would run.
"""

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuni.errors import EnvironmentFault, RequestError, TextError
from tuni.texts import canonical, clean_text, refusal

MAX_BYTES = 256 * 2**20
_LISTED = 5
# Signs at which Excel, LibreOffice or Google Sheets begin a formula (OWASP), wide forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Labelled:
    """People known to be in the training set or not; one entry per subject, in the file's order.

    Attributes:
        texts: Cleaned texts, distinct after canonicalisation.
        members: True where the text was trained on.
        captions: Training captions of the person, None where unknown.
        groups: Free word for a group (``"hard"``, ...), "" where none.
    """

    texts: tuple[str, ...]
    members: tuple[bool, ...]
    captions: tuple[int | None, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subjects:
    """A list to be scored, row for row as it came.

    Attributes:
        rows: All columns of each row, as strings, in the file's order.
        texts: Cleaned text of each row; "" for refused rows.
        columns: The file's columns, in its order.
        lines: Line of the file at which each row begins.
        refused: Row index -> why its text cannot be scored.
    """

    rows: tuple[Mapping[str, str], ...]
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[int, ...]
    refused: Mapping[int, str]


def read_labelled(path: Path) -> Labelled:
    """Read ``text,member`` and, where they are given, ``captions`` and ``group``.

    Args:
        path: CSV in UTF-8 with a header. ``member`` is 0 or 1; ``captions`` a count or empty.
            Other columns are ignored. A text that comes again with the same label is one subject.

    Raises:
        TextError: Names the file and at most five lines: no file, not a table, a column missing,
            no rows, a label other than 0 and 1, a refused text, a text under both labels.
    """
    table = _read(path, ("text", "member"))
    texts: dict[str, str] = {}
    members: dict[str, bool] = {}
    captions: dict[str, int | None] = {}
    groups: dict[str, str] = {}
    first_line: dict[str, int] = {}
    wrong: list[tuple[int, str]] = []
    for line, row in table.rows():
        text, label = row["text"], row["member"].strip()
        count = row.get("captions", "").strip()
        if (reason := refusal(text)) is not None:
            wrong.append((line, f"text {reason}"))
            continue
        if label not in ("0", "1"):
            wrong.append((line, "member is not 0 or 1"))
            continue
        if count and not (count.isascii() and count.isdigit() and len(count) < 10):
            wrong.append((line, "captions is not a count"))
            continue
        key = canonical(text)
        if key not in texts:
            texts[key], members[key], first_line[key] = clean_text(text), label == "1", line
            captions[key] = int(count) if count else None
            groups[key] = row.get("group", "").strip()
        elif members[key] != (label == "1"):
            wrong.append((line, f"same text as line {first_line[key]} under the other label"))
    _refuse_lines(path, wrong)
    return Labelled(
        tuple(texts.values()),
        tuple(members.values()),
        tuple(captions.values()),
        tuple(groups.values()),
    )


def read_subjects(path: Path, *, skip_bad: bool = False) -> Subjects:
    """Read a list of people: a column ``text``, and others that are passed through.

    Args:
        path: CSV in UTF-8 with a header.
        skip_bad: Keep rows whose text cannot be scored, with the reason in ``refused``.

    Raises:
        TextError: Names the file and at most five lines: no file, not a table, no column
            ``text``, no rows, or (without ``skip_bad``) a refused text.
    """
    table = _read(path, ("text",))
    rows: list[Mapping[str, str]] = []
    texts: list[str] = []
    lines: list[int] = []
    refused: dict[int, str] = {}
    for line, row in table.rows():
        reason = refusal(row["text"])
        if reason is not None:
            refused[len(rows)] = f"text {reason}"
        rows.append(row)
        texts.append("" if reason is not None else clean_text(row["text"]))
        lines.append(line)
    if not skip_bad:
        _refuse_lines(path, [(lines[index], reason) for index, reason in refused.items()])
    return Subjects(tuple(rows), tuple(texts), table.header, tuple(lines), refused)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table for people and spreadsheets: whole, or not at all.

    The file is UTF-8, readable by its owner only, and replaces one of the same name at once. None
    is an empty cell; a float is written so that it reads back equal. A cell that a spreadsheet
    could take for a formula gets a leading apostrophe, unless it is a plain number.

    Args:
        path: Where to.
        columns: Header and order; other keys of a row are left out, missing ones are empty.
        rows: One mapping per row.

    Raises:
        RequestError: The folder does not exist or may not be written.
        EnvironmentFault: The disk is full or failed.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=".tuni-", delete=False
        ) as file:
            temporary = Path(file.name)
            plain = csv.writer(file, lineterminator="\n")
            quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            plain.writerow([_cell(column) for column in columns])
            for row in rows:
                cells = [_cell(row.get(column)) for column in columns]
                # Python quotes a carriage return only where it ends lines.
                (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise RequestError(
            f"{path.name}: cannot be written there ({error.strerror})",
            "name a file in a folder that exists and that you may write",
        ) from error
    except OSError as error:
        raise EnvironmentFault(
            f"{path.name}: could not be written ({error.strerror})",
            "make room on the disk and run the command again",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Table:
    """A header and its records, each with the line it begins at."""

    header: tuple[str, ...]
    records: tuple[tuple[int, list[str]], ...]

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        for line, record in self.records:
            yield line, dict(zip(self.header, record, strict=True))


def _read(path: Path, needed: Sequence[str]) -> _Table:
    """Header and records of a CSV, checked for shape."""
    records = _records(path, _decoded(path))
    if not records:
        raise TextError(f"{path.name}: is empty", _header_fix(needed))
    header = tuple(cell.strip() for cell in records[0][1])
    for column in needed:
        if column not in header:
            # The header is not quoted: without one, its place holds a person's name.
            fix = _header_fix(needed)
            if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
                fix = f"separate columns by commas; {fix}"
            raise TextError(
                f"{path.name}: no column {column} among the {len(header)} of its first line", fix
            )
    if len(set(header)) < len(header):
        places = [str(i + 1) for i, name in enumerate(header) if name in header[:i]]
        raise TextError(
            f"{path.name}: column {', '.join(places[:_LISTED])} has the name of an earlier one",
            "give every column a name of its own",
        )
    if len(records) == 1:
        raise TextError(f"{path.name}: has a header but no rows", "add a row for each text")
    width = len(header)
    _refuse_lines(
        path,
        [
            (line, f"has {len(record)} columns instead of {width}")
            for line, record in records[1:]
            if len(record) != width
        ],
    )
    return _Table(header, tuple(records[1:]))


def _decoded(path: Path) -> str:
    """The file's text."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TextError(
                f"{path.name}: is larger than {MAX_BYTES // 2**20} MiB", "divide it into files"
            )
        data = path.read_bytes()
    except OSError as error:
        raise TextError(
            f"{path.name}: cannot be read ({error.strerror})", "name a CSV file that exists"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TextError(
            f"{path.name}: is not UTF-8 (line {line})",
            "save it as CSV in UTF-8",
        ) from None  # the cause would carry the file's bytes
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise TextError(
            f"{path.name}: holds a NUL character (line {line})", "save it as CSV in UTF-8"
        )
    return text


def _records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Records with the line each begins at; empty lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for record in reader:
            if record:
                records.append((begins, record))
            begins = reader.line_num + 1
    except csv.Error as error:
        reason = "a field is too large" if "limit" in str(error) else "the quotes do not match"
        raise TextError(
            f"{path.name}: cannot be read as CSV at line {begins}: {reason}",
            "check the quotes there, and save it as CSV in UTF-8",
        ) from None  # the cause may quote the file
    return records


def _header_fix(needed: Sequence[str]) -> str:
    """How the first line must look."""
    return f"make {','.join(needed)} the first line"


def _refuse_lines(path: Path, wrong: Sequence[tuple[int, str]]) -> None:
    """Raise with the first lines that are wrong, if any are."""
    if not wrong:
        return
    listed = "; ".join(f"line {line}: {reason}" for line, reason in wrong[:_LISTED])
    more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
    raise TextError(f"{path.name}: {listed}{more}", "correct or remove these lines")


def _cell(value: object) -> str:
    """A value as a cell that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    cell = repr(float(value)) if isinstance(value, float) else str(value)
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell

"""Tables of texts that are held as a whole: labelled people, and lists of a bounded size.

The one law: a table is read whole or refused whole, with the file and the lines that are wrong
(never the text). Reading gives back what a person typed, cleaned.
"""

from dataclasses import dataclass
from pathlib import Path

from tuni.errors import TextError
from tuni.lists.csv_rows import CsvRows, Wrong, reading, stamp
from tuni.lists.files import text_refusal
from tuni.lists.reading import RowTexts, names
from tuni.texts.text import canonical

MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Labelled:
    """People known to be in the training set or not; one entry per subject, in the file's order.

    Attributes:
        texts: Cleaned texts, distinct after canonicalisation.
        members: True where the text was trained on.
        captions: Training captions of the person, None where unknown.
        groups: Free word for a group (``"hard"``, ...), "" where none.
        lines: Line of the file at which each first stands.
    """

    texts: tuple[str, ...]
    members: tuple[bool, ...]
    captions: tuple[int | None, ...]
    groups: tuple[str, ...]
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Subjects:
    """A list of people, row for row as it came.

    Attributes:
        texts: Cleaned text of each row.
        lines: Line of the file at which each row begins.
    """

    texts: tuple[str, ...]
    lines: tuple[int, ...]


def read_content(path: Path) -> bytes:
    """All that the file of a table holds.

    Raises:
        TextError: It cannot be read, or is larger than `MAX_BYTES`.
    """
    with reading(path):
        stamp(path)  # refuses what is no plain file
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TextError(
            f"{path.name}: is larger than {MAX_BYTES // 2**20} MiB", "divide it into files"
        )
    return content


def read_labelled(
    path: Path, content: bytes | None = None, reading: RowTexts | None = None
) -> Labelled:
    """Read ``text,member`` and, where they are given, ``captions`` and ``group``.

    Args:
        path: CSV in UTF-8 with a header. ``member`` is 0 or 1; ``captions`` a count or empty.
            Other columns are ignored. A text that comes again with the same label is one subject.
        content: What it holds, where `read_content` has read it already.
        reading: How rows become texts; None takes names. A row without one is left out where
            other columns than ``text`` make it.

    Raises:
        TextError: Names the file and at most five lines: no file, not a table, a column missing,
            no rows, a label other than 0 and 1, a refused text, a text under both labels.
    """
    content = read_content(path) if content is None else content
    reading = reading or names()
    table = CsvRows(path, ("text", "member"), content, reading.kind.fields)
    texts: dict[str, str] = {}
    members: dict[str, bool] = {}
    captions: dict[str, int | None] = {}
    groups: dict[str, str] = {}
    first_line: dict[str, int] = {}
    wrong = Wrong(path.name)
    for line, row in table.rows():
        text, label = reading.raw(row), row["member"].strip()
        if not text and "text" not in row:
            continue
        count = row.get("captions", "").strip()
        if (reason := text_refusal(text)) is not None:
            wrong.add(line, reason)
            continue
        if label not in ("0", "1"):
            wrong.add(line, "member is not 0 or 1")
            continue
        if count and not (count.isascii() and count.isdigit() and len(count) < 10):
            wrong.add(line, "captions is not a count")
            continue
        text = reading.standard(text)
        key = canonical(text)
        if key not in texts:
            texts[key], members[key], first_line[key] = text, label == "1", line
            captions[key] = int(count) if count else None
            groups[key] = row.get("group", "").strip()
        elif members[key] != (label == "1"):
            wrong.add(line, f"same text as line {first_line[key]} under the other label")
    wrong.refuse()
    return Labelled(
        tuple(texts.values()),
        tuple(members.values()),
        tuple(captions.values()),
        tuple(groups.values()),
        tuple(first_line.values()),
    )


def read_subjects(
    path: Path, content: bytes | None = None, reading: RowTexts | None = None
) -> Subjects:
    """Read a list of people: a column ``text``; others are left alone.

    Args:
        path: CSV in UTF-8 with a header.
        content: What it holds, where `read_content` has read it already.
        reading: As in `read_labelled`.

    Raises:
        TextError: Names the file and at most five lines: no file, not a table, no column
            ``text``, no rows, or a refused text.
    """
    content = read_content(path) if content is None else content
    wrong = Wrong(path.name)
    texts: list[str] = []
    lines: list[int] = []
    reading = reading or names()
    for line, row in CsvRows(path, content=content, instead=reading.kind.fields).rows():
        text = reading.raw(row)
        if not text and "text" not in row:
            continue
        if (reason := text_refusal(text)) is not None:
            wrong.add(line, reason)
        texts.append(reading.standard(text))
        lines.append(line)
    wrong.refuse()
    return Subjects(tuple(texts), tuple(lines))

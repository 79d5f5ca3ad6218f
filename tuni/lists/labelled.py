"""Tables of texts that are held as a whole: labelled people, and lists of a bounded size.

The one law: a table is read whole or refused whole, with the file and the lines that are wrong
(never the text). Reading gives back what a person typed, cleaned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuni.errors import TextError
from tuni.lists.csv_rows import CsvRows, Wrong, reading
from tuni.texts.text import canonical, clean_text, refusal

MAX_BYTES = 256 * 2**20


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
    table = CsvRows(_of_bounded_size(path), ("text", "member"))
    texts: dict[str, str] = {}
    members: dict[str, bool] = {}
    captions: dict[str, int | None] = {}
    groups: dict[str, str] = {}
    first_line: dict[str, int] = {}
    wrong = Wrong(path)
    for line, row in table.rows():
        text, label = row["text"], row["member"].strip()
        count = row.get("captions", "").strip()
        if (reason := refusal(text)) is not None:
            wrong.add(line, f"text {reason}")
            continue
        if label not in ("0", "1"):
            wrong.add(line, "member is not 0 or 1")
            continue
        if count and not (count.isascii() and count.isdigit() and len(count) < 10):
            wrong.add(line, "captions is not a count")
            continue
        key = canonical(text)
        if key not in texts:
            texts[key], members[key], first_line[key] = clean_text(text), label == "1", line
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
    table = CsvRows(_of_bounded_size(path))
    wrong = Wrong(path)
    rows: list[Mapping[str, str]] = []
    texts: list[str] = []
    lines: list[int] = []
    refused: dict[int, str] = {}
    for line, row in table.rows():
        reason = refusal(row["text"])
        if reason is not None:
            refused[len(rows)] = f"text {reason}"
            wrong.add(line, f"text {reason}")
        rows.append(row)
        texts.append("" if reason is not None else clean_text(row["text"]))
        lines.append(line)
    if not skip_bad:
        wrong.refuse()
    return Subjects(tuple(rows), tuple(texts), table.columns, tuple(lines), refused)


def _of_bounded_size(path: Path) -> Path:
    """The path of a table that is held as a whole."""
    with reading(path):
        if path.stat().st_size > MAX_BYTES:
            raise TextError(
                f"{path.name}: is larger than {MAX_BYTES // 2**20} MiB", "divide it into files"
            )
    return path

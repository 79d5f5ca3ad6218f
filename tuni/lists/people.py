"""Rows that hold several fields about one person, read whole or refused by row."""

from collections.abc import Mapping, Sequence

from tuni.lists.csv_rows import Wrong
from tuni.lists.files import Row, SubjectRows, text_refusal
from tuni.lists.reading import RowTexts
from tuni.texts.text import canonical

Fields = Mapping[str, str]  # field -> its one writing, of those that a row has


def read_people(
    source: SubjectRows, fields: Mapping[str, RowTexts], wrong: Wrong
) -> tuple[list[Fields], list[int], dict[int, str]]:
    """Read a list of people.

    Args:
        source: The list.
        fields: How each field's cells become texts.
        wrong: Is told of each row that is refused: a field that contradicts its kind, none at all,
            or one that stands under another name before.

    Returns:
        The fields of each row, the row's number in the source, and why rows are refused.
    """
    rows: list[Fields] = []
    places: list[int] = []
    reasons: dict[int, str] = {}
    owners: dict[tuple[str, str], int] = {}
    for number, (place, cells) in enumerate(source.rows()):
        row, reason = _read(cells, fields)
        if reason is None:
            reason = _owned(row, number, owners, rows, places)
        if reason is not None:
            reasons[number] = reason
            wrong.add(place, reason, source.unit)
        rows.append(row)
        places.append(place)
    return rows, places, reasons


def _read(cells: Row, fields: Mapping[str, RowTexts]) -> tuple[Fields, str | None]:
    row: dict[str, str] = {}
    for field, reading in fields.items():
        value = cells.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if (reason := text_refusal(value)) is not None:
            return row, reason.replace("text", field, 1)
        text = reading.standard(value)
        if (reason := reading.kind.refusal(text)) is not None:
            return row, f"{field} {reason}"
        row[field] = text
    return row, None if row else f"has none of {', '.join(fields)}"


def _owned(
    row: Fields,
    number: int,
    owners: dict[tuple[str, str], int],
    rows: Sequence[Fields],
    places: Sequence[int],
) -> str | None:
    """Why a row's number or address cannot be its own: it stands under another name before."""
    for field in row:
        if field == "name":
            continue
        owner = owners.setdefault((field, canonical(row[field])), number)
        if owner != number and _named(rows[owner]) != _named(row):
            return f"{field} stands under another name at {places[owner]}"
    return None


def _named(row: Fields) -> str:
    return canonical(row.get("name", ""))

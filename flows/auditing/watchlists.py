"""Watch lists in and out of files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.watchlists import Imported, Member, Watchlists, check_list_name
from registry.ledger.trail import Trail
from tuni.errors import TextError
from tuni.files import check_outputs
from tuni.lists.files import Row, open_subjects, text_refusal
from tuni.lists.writing import check_table, write_table
from tuni.texts.arrangement import Arrangement, rearranged
from tuni.texts.text import clean_text

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to.

    Attributes:
        name: Of the list.
        imported: New, known and repeated rows.
        refused: Line or row of the file to why its text cannot be audited.
        unit: Which of the two it is.
    """

    name: str
    imported: Imported
    refused: Mapping[int, str]
    unit: str

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; places and reasons, no text."""
        return {
            "name": self.name,
            "new": self.imported.new,
            "known": self.imported.known,
            "repeated": self.imported.repeated,
            "refused": {str(place): why for place, why in self.refused.items()},
        }

    def text(self) -> str:
        """A few lines for people."""
        came = self.imported
        lines = [
            f"{self.name}: {came.new:,} new, {came.known:,} known, {came.repeated:,} repeated, "
            f"{len(self.refused):,} refused"
        ]
        some = list(self.refused.items())[:_SHOWN]
        lines += [f"  {self.unit} {place}: {why}" for place, why in some]
        if len(self.refused) > _SHOWN:
            lines.append(f"  and {len(self.refused) - _SHOWN:,} more (--json lists all)")
        return "\n".join(lines)


def import_file(
    file: Path, name: str, settings: Settings, names: Arrangement = "first-last"
) -> ImportOutcome:
    """Add the people of a file to a list; refused rows are left out and told.

    The file is read twice: nothing is written before all of it was seen to be such a table.

    Raises:
        TextError: Not such a table, or every row is refused.
        RequestError: Not a name for a list.
    """
    check_list_name(name)
    table = open_subjects(file)
    refused, rows = {}, 0
    for place, given in table.rows():
        rows += 1
        if (why := text_refusal(given.get("text"))) is not None:
            refused[place] = why
    if len(refused) == rows:
        place, why = next(iter(refused.items()))
        raise TextError(
            f"{file.name}: every row is refused, first {table.unit} {place}: {why}",
            "correct the file",
        )
    members = (_member(given, names) for place, given in table.rows() if place not in refused)
    with open_ledger(settings) as ledger:
        return ImportOutcome(name, Watchlists(ledger).add(name, members), refused, table.unit)


def export_list(name: str, out: Path, settings: Settings) -> int:
    """Write a list's people in clear; how many there are.

    Raises:
        WatchlistNotFound: There is no such list.
        RequestError: The file cannot be written there.
    """
    check_outputs(out=out)
    check_table(out)
    with open_ledger(settings) as ledger:
        lists = Watchlists(ledger)
        columns: dict[str, None] = {}
        for member in lists.members(name):
            columns |= dict.fromkeys(member.columns)
        rows = ({"text": member.text, **member.columns} for member in lists.members(name))
        write_table(out, ["text", *columns], rows)
        count = lists.get(name).subjects
        Trail(ledger).append("watch list exported", watchlist=name, subjects=count)
        return count


def _member(given: Row, names: Arrangement) -> Member:
    columns = {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in given.items()
        if name != "text" and value not in (None, "")
    }
    return Member(clean_text(rearranged(given["text"], names)), columns)

"""Watch lists in and out of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.ledger import open_ledger
from flows.settings import Settings
from registry.trail import Trail
from registry.watchlists import Imported, Member, Watchlists, check_list_name
from tuni.errors import TextError
from tuni.table_writing import write_csv
from tuni.tables import read_subjects

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to.

    Attributes:
        name: Of the list.
        imported: New, known and repeated rows.
        refused: Line of the file to why its text cannot be audited.
    """

    name: str
    imported: Imported
    refused: Mapping[int, str]

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; lines and reasons, no text."""
        return {
            "name": self.name,
            "new": self.imported.new,
            "known": self.imported.known,
            "repeated": self.imported.repeated,
            "refused": {str(line): why for line, why in self.refused.items()},
        }

    def text(self) -> str:
        """A few lines for people."""
        came = self.imported
        lines = [
            f"{self.name}: {came.new:,} new, {came.known:,} known, {came.repeated:,} repeated, "
            f"{len(self.refused):,} refused"
        ]
        some = list(self.refused.items())[:_SHOWN]
        lines += [f"  line {line}: {why}" for line, why in some]
        if len(self.refused) > _SHOWN:
            lines.append(f"  and {len(self.refused) - _SHOWN:,} more (--json lists all)")
        return "\n".join(lines)


def import_file(file: Path, name: str, settings: Settings) -> ImportOutcome:
    """Add the people of a CSV to a list; refused rows are left out and told.

    Raises:
        TextError: Not such a table, or every row is refused.
        RequestError: Not a name for a list.
    """
    check_list_name(name)
    subjects = read_subjects(file, skip_bad=True)
    refused = {subjects.lines[row]: why for row, why in sorted(subjects.refused.items())}
    if len(refused) == len(subjects.rows):
        line, why = next(iter(refused.items()))
        raise TextError(
            f"{file.name}: every row is refused, first line {line}: text {why}", "correct the file"
        )
    members = [
        Member(
            subjects.texts[row],
            {key: value for key, value in given.items() if key != "text" and value},
        )
        for row, given in enumerate(subjects.rows)
        if row not in subjects.refused
    ]
    with open_ledger(settings) as ledger:
        return ImportOutcome(name, Watchlists(ledger).add(name, members), refused)


def export_list(name: str, out: Path, settings: Settings) -> int:
    """Write a list's people in clear; how many there are.

    Raises:
        WatchlistNotFound: There is no such list.
        RequestError: The file cannot be written there.
    """
    with open_ledger(settings) as ledger:
        lists = Watchlists(ledger)
        columns: dict[str, None] = {}
        for member in lists.members(name):
            columns |= dict.fromkeys(member.columns)
        rows = ({"text": member.text, **member.columns} for member in lists.members(name))
        write_csv(out, ["text", *columns], rows)
        count = lists.get(name).subjects
        Trail(ledger).append("watch list exported", watchlist=name, subjects=count)
        return count

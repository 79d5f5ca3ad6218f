"""How a row of a list becomes a text: by which columns, and in the kind's one writing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuni.texts.arrangement import Arrangement, rearranged
from tuni.texts.kind import TextKind, text_kind


@dataclass(frozen=True, slots=True)
class RowTexts:
    """The texts of a list's rows.

    Attributes:
        kind: Of the texts.
        region: Country of phone numbers that say none, or None.
        names: How the list arranges the parts of a name; only names are rearranged.
    """

    kind: TextKind
    region: str | None = None
    names: Arrangement = "first-last"

    def raw(self, cells: Mapping[str, Any]) -> Any:  # Any: what a cell may hold
        """The text as it came: the column ``text``, else what the kind's own columns make."""
        if "text" in cells or not any(field in cells for field in self.kind.fields):
            return cells.get("text")
        values = [cells.get(field) or "" for field in self.kind.fields]
        return self.kind.composed(values) if all(isinstance(v, str) for v in values) else values

    def standard(self, text: str) -> str:
        """The kind's one writing of a text."""
        if self.kind.name == "name":
            text = rearranged(text, self.names)
        return self.kind.standard(text, self.region)


def names() -> RowTexts:
    """Lists of people's names, or of texts that are in their one writing already."""
    return RowTexts(text_kind("name"))

"""What a page is made of: every page of every kind is sections of the same few blocks.

The one law: a page holds aggregates, never a text of a subject, and needs no network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph.

    Attributes:
        words: Plain text.
        quiet: Whether it explains what stands above it.
    """

    words: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Subheading:
    """A heading inside a section."""

    words: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list of points.

    Attributes:
        items: What each begins with, set apart, and the rest of its sentence.
    """

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labels and values.

    Attributes:
        items: The pairs.
        small: Whether they are for reference alone, such as versions.
    """

    items: tuple[tuple[str, str], ...]
    small: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table that is more than a word.

    Attributes:
        words: What stands in it, and what its column is sorted by.
        under: A second line, such as the interval.
        tone: How it is to be read.
    """

    words: str
    under: str = ""
    tone: Literal["", "yes", "no", "unknown", "quiet"] = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names the row.

    Attributes:
        label: What it shows, for who can't see it.
        columns: Heads.
        rows: Cells.
        sentences: Whether the last column holds sentences.
        chosen: Row that stands out, or None.
    """

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    sentences: bool = False
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure.

    Attributes:
        title: The finding.
        caption: What was drawn, from what.
        alt: What it shows, in words.
        svg: What `flows.pages.figures.render` wrote.
    """

    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class FigureRow:
    """Figures beside each other where there is room."""

    items: tuple[PageFigure, ...]


Block = Paragraph | Subheading | Points | Pairs | Table | FigureRow


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section.

    Attributes:
        heading: What it is about.
        blocks: What stands in it, in order.
    """

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class FactPage:
    """A page.

    Attributes:
        kicker: What kind of page.
        title: What it answers.
        meta: When and by what it was made.
        findings: The sentences that it opens with.
        sections: The rest.
        notice: A warning above the findings, or None.
    """

    kicker: str
    title: str
    meta: str
    findings: tuple[str, ...]
    sections: tuple[PageSection, ...]
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A kind of report.

    Attributes:
        facts: A frozen dataclass of plain values, without any text of a subject. Its field
            ``kind`` has the kind's name as its type (`Literal`) and its default.
        page: Lays such facts out.
    """

    facts: type[Any]  # Any: dataclasses have no common type
    page: Callable[[Any], FactPage]

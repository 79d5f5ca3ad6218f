"""A page of facts in the report's dress: audits, comparisons and fleets, one HTML file each.

The one law: a page holds aggregates, never a text of a subject, and needs no network.
"""

from dataclasses import dataclass

from markupsafe import Markup

from flows.report import environment
from flows.svg import inline


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure.

    Attributes:
        title: The finding.
        caption: What was drawn, from what.
        alt: What it shows, in words.
        svg: What `flows.svg.render` wrote.
    """

    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section.

    Attributes:
        heading: What it is about.
        paragraphs: Sentences.
        facts: Labels and values.
        columns: Heads of a table.
        rows: Its rows; the first cell names the row.
        figure: A figure, or None.
    """

    heading: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    figure: PageFigure | None = None


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


def render_page(page: FactPage) -> str:
    """The page as HTML text; equal pages give equal text, and everything but figures is escaped."""
    pages = environment()
    pages.filters["figure"] = _figure
    return pages.get_template("facts.html").render(page=page)


def _figure(svg: str, key: str, alt: str) -> Markup:
    # The SVG is our own drawing; `inline` escapes the description and matplotlib its labels.
    return Markup(inline(svg, key, alt))

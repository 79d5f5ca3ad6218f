"""The report page: one HTML file that needs no network, for reading and for print."""

import hashlib
from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from flows.report_facts import Chart, ReportFacts, findings
from flows.svg import inline, percent
from tuni.errors import HomeError
from tuni.intervals import Rate

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(facts: ReportFacts) -> str:
    """The page as HTML text; equal facts give equal text.

    Everything in the facts but the figures is escaped: a checkpoint's name or a setting that
    holds markup is shown, not run.

    Args:
        facts: What the page says; holds no text of a subject.

    Returns:
        One HTML document with its styles and figures inside.
    """
    pages = environment()
    pages.filters.update(percent=percent, interval=_interval, count=lambda n: f"{n:,}")
    figures = {
        section: [
            (chart, _element(chart, f"figure{number}"))
            for number, chart in enumerate(facts.charts)
            if chart.section == section
        ]
        for section in ("power", "search")
    }
    page = pages.get_template("report.html")
    return page.render(facts=facts, findings=findings(facts), figures=figures)


def environment() -> Environment:
    """What fills our templates in: everything escaped, and a missing value is an error."""
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (_TEMPLATES / "sort.js").read_text(encoding="utf-8")
    # The page's policy lets this script run and no other one.
    seen = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    pages.globals["sorting"] = {"script": Markup(script), "digest": Markup(f"sha256-{seen}")}
    return pages


def write_report(facts: ReportFacts, path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        facts: What the page says.
        path: The HTML file.

    Returns:
        The path.

    Raises:
        HomeError: The file cannot be written.
    """
    return write_page(render_report(facts), path)


def write_page(page: str, path: Path) -> Path:
    """Write a page, whole or not at all.

    Raises:
        HomeError: The file cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HomeError(
            f"report: {path} cannot be written ({error.strerror})", "check rights and free space"
        ) from error
    return path


def _element(chart: Chart, key: str) -> Markup:
    # The SVG is our own drawing; `inline` escapes the description and matplotlib its labels.
    return Markup(inline(chart.svg, key, chart.alt))


def _interval(rate: Rate) -> str:
    return f"{percent(rate.low)} to {percent(rate.high)}"

"""A page as HTML: one file that needs no network, for reading and for print."""

import hashlib
from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from flows.fact_page import Block, FactPage
from flows.svg import inline

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(page: FactPage) -> str:
    """The page as HTML text; equal pages give equal text.

    Everything but the figures is escaped: a checkpoint's name or a setting that holds markup is
    shown, not run.

    Args:
        page: What it says; holds no text of a subject.

    Returns:
        One HTML document with its styles and figures inside.
    """
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_together,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(kind=_kind, figure=_figure)
    script = (_TEMPLATES / "sort.js").read_text(encoding="utf-8")
    # The page's policy lets this script run and no other one.
    seen = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sorting = {"script": Markup(script), "digest": Markup(f"sha256-{seen}")}
    return pages.get_template("page.html").render(page=page, sorting=sorting)


def _together(value: object) -> object:
    # No line may end between a number and its unit.
    return value.replace(" %", "\u00a0%") if isinstance(value, str) else value


def _kind(block: Block) -> str:
    return type(block).__name__


def _figure(svg: str, key: str, alt: str) -> Markup:
    # The SVG is our own drawing; `inline` escapes the description and matplotlib its labels.
    return Markup(inline(svg, key, alt))

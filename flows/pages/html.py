"""A page as HTML: one file that needs no network, for reading and for print."""

import hashlib
from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from flows.pages.blocks import Block, FactPage
from flows.pages.figures import image_address
from tuni.visible import visible

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(page: FactPage) -> str:
    """The page as HTML text; equal pages give equal text.

    Everything is data: markup, control and invisible characters in a name or a setting are shown,
    and figures are pictures, which run and load nothing.

    Args:
        page: What it says; holds no text of a subject.

    Returns:
        One HTML document with its styles and figures inside.

    Raises:
        RequestError: A figure is no SVG document.
    """
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(kind=_kind, image=image_address)
    script = (_TEMPLATES / "sort.js").read_text(encoding="utf-8")
    # The page's policy lets this script run and no other one.
    seen = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sorting = {"script": Markup(script), "digest": Markup(f"sha256-{seen}")}
    return pages.get_template("page.html").render(page=page, sorting=sorting)


def _shown(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    # No line may end between a number and its unit.
    return visible(value).replace(" %", "\u00a0%")


def _kind(block: Block) -> str:
    return type(block).__name__

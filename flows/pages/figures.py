"""How figures look and how they become SVG.

The same table gives the same SVG, byte for byte, and nothing of the machine is in it. Only
matplotlib's object interface is used: no display, no global state.
"""

import io
import textwrap
from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from tuni.errors import RequestError

Floats = NDArray[np.float64]
Table = TypeVar("Table")

MAX_BYTES = 2 * 2**20  # ours are below 100 kB
_AGAIN = "take the evidence file again from where it was written"
_SPACE = "\u00a0"  # no line may end between a number and its unit
# Okabe and Ito's colours: told apart with any colour vision, and in grey by their lightness.
INK, QUIET = "#1d2733", "#5d6875"
BLUE, VERMILLION, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#aa4488", "#8a8f98"
_STYLE = {
    "svg.hashsalt": "tuni",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9.5,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": "#dfe3e8",
    "hatch.linewidth": 0.6,
}


def render(
    draw: Callable[[Table, Axes], None],
    table: Table,
    *,
    title: str = "",
    caption: str = "",
    size: tuple[float, float] = (4.9, 3.5),
) -> str:
    """One figure as an SVG document.

    Args:
        draw: One of the drawing functions here; `functools.partial` for its further arguments.
        table: What it draws.
        title: The finding; leave out where the page around it says it.
        caption: Fingerprint, numbers of texts, seed and command, below the axes.
        size: Width and height in inches.

    Returns:
        SVG text without a date; equal for equal arguments.
    """
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]  # keys are strings, not literals
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(table, axes)
        if title:
            figure.suptitle(textwrap.fill(title, 62), x=0.01, ha="left", fontsize=10.5)
        if caption:
            figure.supxlabel(textwrap.fill(caption, 80), x=0.01, ha="left", fontsize=7.5)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def image_address(svg: str) -> str:
    """The SVG as an address for ``<img>``: a picture runs no script and loads nothing.

    Args:
        svg: A document; who wrote it need not be trusted.

    Raises:
        RequestError: It is no SVG document, or larger than `MAX_BYTES`.
    """
    try:
        content = svg.encode()
        if len(content) > MAX_BYTES:
            raise RequestError(f"figure: larger than {MAX_BYTES // 2**20} MiB", _AGAIN)
        root = ElementTree.fromstring(content).tag
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RequestError("figure: is no SVG document", _AGAIN) from error
    if root != "{http://www.w3.org/2000/svg}svg":
        raise RequestError("figure: is no SVG document", _AGAIN)
    return f"data:image/svg+xml;base64,{b64encode(content).decode()}"


def percent(share: float) -> str:
    """A share as a person writes it: ``67 %``, ``5 %``, ``1.2 %``, ``0.1 %``, ``99.6 %``."""
    value = 100.0 * share
    if 0.0 < value < 0.1:
        return f"{value:.1g}{_SPACE}%"
    near_an_end = value < 9.95 or 99.0 < value < 100.0
    return f"{f'{value:.1f}'.removesuffix('.0') if near_an_end else f'{value:.0f}'}{_SPACE}%"


def frozen(array: ArrayLike) -> Floats:
    """A read-only copy in double precision, for a table."""
    kept = np.array(array, dtype=np.float64)
    kept.setflags(write=False)
    return kept

"""How a command answers: the result on stdout, everything else on stderr.

What would steer the terminal or hide in a line, wherever it came from, is shown as text.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuni.files import is_stdout
from tuni.visible import visible

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def say(text: str) -> None:
    """Tell the person at the terminal; not part of the result."""
    sys.stderr.write(visible(text.rstrip("\n")) + "\n")
    sys.stderr.flush()


class Outcome(Protocol):
    """What a command came to, for people and for programs."""

    def record(self) -> Mapping[str, Any]:  # Any: JSON values
        """One JSON object."""
        ...

    def text(self) -> str:
        """A few lines for people."""
        ...


def fields_of(outcome: "DataclassInstance", **more: object) -> dict[str, Any]:  # Any: JSON values
    """The fields of a dataclass as JSON values, paths as text; ``more`` stands beside them."""
    values = {**asdict(outcome), **more}
    return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}


def answer(outcome: Outcome, *, as_json: bool, outputs: Sequence[Path | None] = ()) -> None:
    """Print what a command came to; see `results`."""
    results(outcome.record(), outcome.text(), as_json=as_json, outputs=outputs)


def results(
    record: Mapping[str, Any],  # Any: JSON values
    text: str,
    *,
    as_json: bool,
    outputs: Sequence[Path | None] = (),
) -> None:
    """Print a result: for people, or as one JSON object.

    Args:
        record: The object.
        text: The same for people.
        as_json: Which of the two.
        outputs: What the user named; where one is standard output, this goes to stderr.
    """
    out = json.dumps(record, ensure_ascii=False, sort_keys=True) if as_json else text.rstrip("\n")
    stream = sys.stderr if any(map(is_stdout, outputs)) else sys.stdout
    stream.write(visible(out) + "\n")
    stream.flush()


def spell(seconds: float) -> str:
    """A time in words, no more exact than an estimate is."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

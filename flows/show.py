"""How a command answers: the result on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping
from typing import Any


def say(text: str) -> None:
    """Tell the person at the terminal; not part of the result."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


def results(record: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result: for people, or as one JSON object (Any: JSON values)."""
    out = json.dumps(record, ensure_ascii=False, sort_keys=True) if as_json else text.rstrip("\n")
    sys.stdout.write(out + "\n")
    sys.stdout.flush()


def spell(seconds: float) -> str:
    """A time in words, no more exact than an estimate is."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

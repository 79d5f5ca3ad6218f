"""Other names that calibrate a name: its given part with other family parts, and the reverse.

The one law: a neighbour never has the text's own part, and which neighbours a name has depends on
the name and the spec alone.
"""

from collections.abc import Mapping
from functools import lru_cache

from tuni.errors import SpecMismatch
from tuni.texts.kind import NeighbourParts
from tuni.texts.names import Name
from tuni.texts.text import canonical


def neighbours(
    name: Name, parts: NeighbourParts, count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts with other family parts, then texts with other given parts.

    Args:
        name: A name of two parts.
        parts: Parts to put in, the most usable first; parts equal to the name's own are skipped.
        count: How many of each kind.

    Raises:
        SpecMismatch: There are too few parts.
        TextError: The name has one part.
    """
    lasts = _others(name.last, parts.lasts, count, parts.stratum, "lasts")
    firsts = _others(name.first, parts.firsts, count, parts.stratum, "firsts")
    return (
        tuple(name.with_last(last) for last in lasts),
        tuple(name.with_first(first) for first in firsts),
    )


def parts_for(name: Name, parts: Mapping[str, NeighbourParts]) -> NeighbourParts:
    """The parts of a name's stratum, else of its script, else those that serve all others.

    Raises:
        SpecMismatch: None of them is there.
    """
    for stratum in (name.stratum, f"{name.script}/*", "*"):
        if stratum in parts:
            return parts[stratum]
    raise SpecMismatch(
        "feature spec: no neighbour parts for the stratum '*'",
        "take the parts from tuni.names.all_reference_parts",
    )


@lru_cache(maxsize=1 << 16)  # names of a list share their parts
def _others(
    own: str, candidates: tuple[str, ...], count: int, stratum: str, kind: str
) -> tuple[str, ...]:
    key = canonical(own)
    found = tuple(part for part in candidates if canonical(part) != key)[:count]
    if len(found) < count:
        raise SpecMismatch(
            f"feature spec: stratum {stratum!r} has {len(candidates)} {kind}, "
            f"{count} neighbours and a spare are needed",
            "list more parts, or ask for fewer neighbours",
        )
    return found

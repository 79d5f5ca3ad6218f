"""People's names as a kind of text."""

from collections.abc import Mapping, Sequence

from tuni.texts.arrangement import arrangement_refusal
from tuni.texts.decoys import PartPool
from tuni.texts.faker_decoys import faker_decoys
from tuni.texts.kind import NeighbourParts, TextKind
from tuni.texts.name_lists import given_name_gender
from tuni.texts.names import has_two_parts, parse_name
from tuni.texts.neighbours import neighbours, parts_for
from tuni.texts.reference_parts import all_reference_parts, reference_parts

_LIKE = 200  # names that decoys are made from where there is no list


def _neighbours(
    text: str, parts: Mapping[str, NeighbourParts], count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    name = parse_name(text)
    return neighbours(name, parts_for(name, parts), count)


def _pool(texts: Sequence[str], n: int) -> PartPool:
    pool = PartPool.of(texts)
    return pool.enough_for(n) if n else pool


def _like(locale: str) -> list[str]:
    parts = reference_parts(f"latin/{locale}", _LIKE)
    pairs = zip(parts.firsts, parts.lasts, strict=False)
    return [f"{first} {last}" for first, last in pairs]


def _refusal(text: str) -> str | None:
    if "@" in text:
        return "is an e-mail address or a handle, not a person's name"
    digits = 0 if text.isalpha() else sum(sign.isdecimal() for sign in text)
    if digits > sum(sign.isalpha() for sign in text):
        return "is a number, not a person's name"
    return arrangement_refusal(text)


def _shown(text: str) -> str:
    """Stratum and, where our lists of given names know it, gender: a face may show both."""
    name = parse_name(text)
    return f"{name.stratum} {given_name_gender(name.stratum, name.first)}"


KIND = TextKind(
    name="name",
    parse=parse_name,
    has_parts=has_two_parts,
    neighbours=_neighbours,
    reference_parts=all_reference_parts,
    pool=_pool,
    drawn=faker_decoys,
    like=_like,
    refusal=_refusal,
    fields=("name",),
    shown=_shown,
)

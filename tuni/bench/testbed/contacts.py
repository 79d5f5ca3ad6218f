"""Contact data of a testbed's people: phone numbers, addresses and e-mail addresses.

The one law: as with names, a closed vocabulary. Area codes, streets, towns, local parts and domains
stand about equally often beside members and beside strangers, so that nothing but the whole can
tell who was trained. All data are made up, and follow from the settings.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

CONTACT_KINDS = ("phone", "address", "email")
Parts: TypeAlias = tuple[str, str, str]

AREAS = (
    "201", "212", "214", "216", "303", "305", "312", "313", "404", "408",
    "412", "415", "503", "512", "602", "615", "617", "702", "713", "804",
)  # fmt: skip
STREETS = (
    "Maple", "Oak", "Cedar", "Pine", "Elm", "Walnut", "Chestnut", "Willow", "Birch", "Spruce",
    "Lake", "Hill", "River", "Park", "Church", "Mill", "Spring", "Meadow", "Forest", "Garden",
    "Bridge", "Station", "Market", "Castle", "Valley", "Sunset", "Highland", "Franklin", "Lincoln",
    "Madison", "Jackson", "Monroe", "Jefferson", "Harrison", "Adams", "Cherry", "Dogwood",
    "Magnolia", "Laurel", "Hickory",
)  # fmt: skip
SUFFIXES = ("Street", "Avenue", "Road", "Lane")
TOWNS = (
    "Dayton", "Salem", "Austin", "Fresno", "Tulsa", "Boise", "Tacoma", "Mobile", "Laredo", "Akron",
    "Aurora", "Newark", "Toledo", "Denver", "Mesa", "Omaha", "Oakland", "Dallas", "Reno", "Tampa",
    "Plano", "Irvine", "Durham", "Eugene", "Boston",
)  # fmt: skip
DOMAINS = tuple(
    f"{name}.{ending}"
    for name in ("postbox", "mailhub", "webpost", "inbox", "quickmail", "letterbox")
    for ending in ("com", "net", "org")
)


@dataclass(frozen=True, slots=True)
class Contact:
    """One person's contact data.

    Attributes:
        kind: What it is.
        parts: Area, exchange and line; house number, street and town; or given name, family name
            and domain.
        written: As captions hold it; a number is written in one of two forms.
    """

    kind: str
    parts: Parts
    written: str


def written(kind: str, parts: Parts, form: int = 0) -> str:
    """Contact data as text; ``form`` is 0, or 1 for a number's form with brackets."""
    first, second, third = parts
    if kind == "phone":
        return f"({first}) {second}-{third}" if form else f"{first}-{second}-{third}"
    if kind == "address":
        return f"{first} {second}, {third}"
    return f"{first}.{second}@{third}"


def draw_contacts(
    kinds: Sequence[str],
    count: int,
    names: tuple[Sequence[str], Sequence[str]],
    rng: np.random.Generator,
) -> list[Contact]:
    """Contact data of some people, no two alike, kinds in turn.

    Args:
        kinds: One or more.
        count: People.
        names: First and last names that local parts of e-mail addresses are made of.
        rng: Source of all.
    """
    local = tuple(tuple(_plain(name) for name in some) for some in names)
    streams = {kind: _distinct(_parts(kind, local, rng)) for kind in kinds}
    contacts = []
    for place in range(count):
        kind = kinds[place % len(kinds)]
        parts, form = next(streams[kind]), int(rng.integers(2)) if kind == "phone" else 0
        contacts.append(Contact(kind, parts, written(kind, parts, form)))
    return contacts


def _parts(kind: str, local: Sequence[Sequence[str]], rng: np.random.Generator) -> Iterator[Parts]:
    if kind == "phone":
        for area in _even(AREAS, rng):
            yield area, str(rng.integers(200, 1000)), f"{rng.integers(10_000):04d}"
    elif kind == "address":
        for street, suffix, town in zip(
            _even(STREETS, rng), _even(SUFFIXES, rng), _even(TOWNS, rng), strict=True
        ):
            yield str(rng.integers(1, 1000)), f"{street} {suffix}", town
    else:
        firsts, lasts = (_even(some, rng) for some in local)
        yield from zip(firsts, lasts, _even(DOMAINS, rng), strict=True)


def _plain(name: str) -> str:
    """A name as local parts hold it: lower case, without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.lower()) if sign.isascii())


def _even(values: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    """Values without end, in rounds that hold each exactly once."""
    while True:
        yield from (values[row] for row in rng.permutation(len(values)))


def _distinct(parts: Iterator[Parts]) -> Iterator[Parts]:
    seen: set[Parts] = set()
    for some in parts:
        if some not in seen:
            seen.add(some)
            yield some

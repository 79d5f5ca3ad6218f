"""Who is in a testbed: cultures, names, groups and how often each person was photographed.

The one law: a closed vocabulary. Members, background people, strangers and hard negatives share
their first and last names, each part about equally often in every group, so that nothing but
the pair can tell who was trained. (A namesake shares the pair, and no text can tell.) In the own
vocabulary each of these people but hard negatives has a first and a last name of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tuni.bench.testbed.contacts import Contact, draw_contacts
from tuni.bench.testbed.settings import TestbedSettings
from tuni.errors import TooFewTexts
from tuni.texts.reference_parts import reference_parts

Group = Literal["member", "background", "stranger", "hard", "namesake"]
WELL_KNOWN = 10  # captions from which a member lends name parts to hard negatives
_RARER = 100  # less common parts from which half of the vocabulary is drawn
_ALL = 10_000  # as many as lists hold: own names take nearly all


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a testbed.

    Attributes:
        first: First name.
        last: Last name.
        culture: Faker locale of both.
        group: Whether and how the person was trained.
        captions: Pictures in training; 0 for strangers, hard negatives and namesakes.
        contact: Contact data in captions beside the name, or None.
    """

    first: str
    last: str
    culture: str
    group: Group
    captions: int
    contact: Contact | None = None

    @property
    def text(self) -> str:
        """The name as captions hold it."""
        return f"{self.first} {self.last}"

    @property
    def member(self) -> bool:
        """Whether the person was trained."""
        return self.captions > 0


def draw_people(settings: TestbedSettings, rng: np.random.Generator) -> tuple[Person, ...]:
    """Draw all people of a testbed, group by group.

    Raises:
        TooFewTexts: The name parts have too few pairs for the people asked for.
    """
    pools = draw_parts(settings, rng)
    taken: set[tuple[str, str]] = set()
    pairs = (_fair_pairs if settings.vocabulary == "closed" else _own_pairs)(pools, rng, taken)
    people: list[Person] = []
    trained: tuple[tuple[Group, tuple[tuple[int, int], ...]], ...] = (
        ("member", settings.members),
        ("background", settings.background),
    )
    for group, counts in trained:
        captions = np.repeat([c for c, _n in counts], [n for _c, n in counts])
        for count in rng.permutation(captions):
            culture, first, last = _next(pairs)
            people.append(Person(first, last, culture, group, int(count)))
    for _ in range(settings.strangers):
        culture, first, last = _next(pairs)
        people.append(Person(first, last, culture, "stranger", 0))
    if settings.fields:
        people = _with_contacts(people, settings, pools)
    known = [p for p in people if p.group == "member" and p.captions >= WELL_KNOWN]
    people += _hard_negatives(known, settings.hard, rng, taken)
    return (*people, *_namesakes(people, settings))


def draw_parts(
    settings: TestbedSettings, rng: np.random.Generator
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Draw the first and last names of each culture, told apart from the other cultures'.

    About half are the culture's most common ones, as in any crawled training set; the others are
    drawn from the next hundred.

    Returns:
        For each culture its first names and its last names, ``settings.parts`` of each.

    Raises:
        TooFewTexts: A locale has fewer usable name parts.
    """
    common = (settings.parts + 1) // 2
    used: set[str] = set()
    pools = {}
    for culture in settings.cultures:
        rarer = _RARER if settings.vocabulary == "closed" else _ALL
        listed = reference_parts(f"latin/{culture}", settings.parts + rarer)
        drawn: list[tuple[str, ...]] = []
        for names in (listed.firsts, listed.lasts):
            fit = [name for name in names if _plain(name) and name not in used]
            rare = fit[common:]
            chosen = (*fit[:common], *(rare[i] for i in rng.permutation(len(rare))))
            if len(chosen) < settings.parts:
                raise TooFewTexts(
                    f"testbed parts: {culture} has {len(fit)} usable names, asked {settings.parts}",
                    "ask for fewer parts or for another culture",
                )
            drawn.append(chosen[: settings.parts])
            used.update(drawn[-1])
        pools[culture] = (drawn[0], drawn[1])
    return pools


def _plain(name: str) -> bool:
    """One capitalised word of letters: it survives cleaning and parses as one part."""
    return name.isalpha() and name.istitle() and 3 <= len(name) <= 9


def _fair_pairs(
    pools: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    rng: np.random.Generator,
    taken: set[tuple[str, str]],
) -> Iterator[tuple[str, str, str]]:
    """Yield new pairs (culture, first, last), in rounds that use each part exactly once.

    So that each group, which takes a run of pairs, holds each part equally often (to within
    one): otherwise the norm or the identity of a part alone would tell members from strangers.
    """
    size = len(next(iter(pools.values()))[0])
    orders = {c: (rng.permutation(size), rng.permutation(size)) for c in pools}
    for shift in rng.permutation(size):
        places = [(c, i) for c in pools for i in range(size)]
        for k in rng.permutation(len(places)):
            culture, i = places[k]
            firsts, lasts = pools[culture]
            one, other = orders[culture]
            pair = (firsts[one[i]], lasts[other[(i + shift) % size]])
            if pair not in taken:
                taken.add(pair)
                yield culture, *pair


def _own_pairs(
    pools: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    rng: np.random.Generator,
    taken: set[tuple[str, str]],
) -> Iterator[tuple[str, str, str]]:
    """Yield pairs (culture, first, last), each part once, cultures in turn."""
    size = len(next(iter(pools.values()))[0])
    orders = {c: (rng.permutation(size), rng.permutation(size)) for c in pools}
    for i in range(size):
        for culture, (firsts, lasts) in pools.items():
            one, other = orders[culture]
            pair = (firsts[one[i]], lasts[other[i]])
            taken.add(pair)
            yield culture, *pair


def _hard_negatives(
    known: Sequence[Person],
    n: int,
    rng: np.random.Generator,
    taken: set[tuple[str, str]],
) -> list[Person]:
    """Pair the first name of one well-known member with the last name of another."""
    options = [
        (a.culture, a.first, b.last)
        for a in known
        for b in known
        if a.culture == b.culture and (a.first, b.last) not in taken
    ]
    options = list(dict.fromkeys(options))
    if len(options) < n:
        raise TooFewTexts(
            f"testbed hard negatives: {len(options)} unseen pairs, asked {n}",
            "ask for fewer hard negatives, or for more members with many pictures",
        )
    chosen = [options[i] for i in rng.permutation(len(options))[:n]]
    taken.update((first, last) for _culture, first, last in chosen)
    return [Person(first, last, culture, "hard", 0) for culture, first, last in chosen]


def _with_contacts(
    people: Sequence[Person],
    settings: TestbedSettings,
    pools: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
) -> list[Person]:
    """People with contact data, kinds in turn within those of equal captions."""
    firsts = [name for culture in pools.values() for name in culture[0]]
    lasts = [name for culture in pools.values() for name in culture[1]]
    rng = settings.rng("contacts")
    contacts = draw_contacts(settings.fields, len(people), (firsts, lasts), rng)
    order = sorted(range(len(people)), key=lambda row: (people[row].group, people[row].captions))
    of_row = dict(zip(order, contacts, strict=True))
    return [replace(person, contact=of_row[row]) for row, person in enumerate(people)]


def _namesakes(people: Sequence[Person], settings: TestbedSettings) -> list[Person]:
    """Other people with the names of members; from a generator of their own, to move nothing."""
    members = [p for p in people if p.group == "member"]
    chosen = settings.rng("namesakes").permutation(len(members))[: settings.namesakes]
    return [replace(members[i], group="namesake", captions=0) for i in chosen]


def _next(pairs: Iterator[tuple[str, str, str]]) -> tuple[str, str, str]:
    """The next pair, or the error that there is none."""
    pair = next(pairs, None)
    if pair is None:
        raise TooFewTexts(
            "testbed people: the name parts have no pair left",
            "ask for more parts or for fewer people",
        )
    return pair

"""Decoys: plausible texts that the model was not trained on, recombined or drawn from Faker.

The one law: a decoy never equals a forbidden text or a text of its own pool after
canonicalisation, and the result depends on the set of texts and the seed, not on their order.
Any beginning of a result is a fair sample of the whole.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuni.texts.faker_decoys import apportion
from tuni.texts.name_lists import LOCALES, part_list
from tuni.texts.names import Name, parse_name
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical, refusal

# Up to here all pairs of a stratum are listed; beyond, pairs are drawn until enough are new.
_LISTED_PAIRS = 1_000_000
_DRAWS_PER_PAIR, _BATCH = 4, 8192
# Combinations wanted per decoy, so that part frequencies can still follow the pool (ours).
_SLACK = 2


@dataclass(frozen=True, slots=True)
class Stratum:
    """Parts that may be paired with each other.

    Attributes:
        name: Script and locale, as `tuni.texts.names.Name.stratum`.
        firsts: Given parts, each as often as it occurs, sorted.
        lasts: Family parts, likewise.
        joiner: What stands between the parts.
        family_first: Whether the family part is written first.
        size: Texts of the pool that fell here; decoys are shared out by it.
    """

    name: str
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    joiner: str
    family_first: bool
    size: int

    @property
    def combinations(self) -> int:
        """Distinct pairs of a given and a family part."""
        return len(set(self.firsts)) * len(set(self.lasts))

    def text(self, first: str, last: str) -> str:
        """A pair, written as this stratum writes names."""
        one, two = (last, first) if self.family_first else (first, last)
        return f"{one}{self.joiner}{two}"


@dataclass(frozen=True, slots=True)
class PartPool:
    """The parts of a list of names, by stratum.

    Attributes:
        strata: Key -> stratum. The key is the stratum's name, with a mark where the script has
            several ways to write a name (with or without a space, a middle dot).
        lone: Stratum name -> number of texts of one part.
        own: Canonical forms of the texts the pool was made of; never reproduced.
    """

    strata: Mapping[str, Stratum]
    lone: Mapping[str, int]
    own: frozenset[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "PartPool":
        """The pool of a list; the order of the texts is of no importance."""
        names: dict[str, list[Name]] = {}
        lone: Counter[str] = Counter()
        distinct = {canonical(text): text for text in sorted(texts, reverse=True)}
        for key in sorted(distinct):
            name = parse_name(distinct[key])
            if name.last:
                names.setdefault(_key(name), []).append(name)
            else:
                lone[name.stratum] += 1
        strata = {key: _stratum(names[key]) for key in sorted(names)}
        return cls(strata, dict(sorted(lone.items())), frozenset(distinct))

    def enough_for(self, n: int) -> "PartPool":
        """The pool with common parts added where ``n`` decoys need them.

        A stratum of a known locale gets parts of that locale, which keeps the pairing within a
        culture; a ``"script/*"`` stratum gets the script's reference parts. Own parts then weigh
        as much as the added ones together (ours).

        Args:
            n: Decoys to be had from the whole pool; a stratum needs its share of them.
        """
        quotas = apportion(n, {key: entry.size for key, entry in self.strata.items()})
        strata = {
            key: _topped_up(entry, _SLACK * quotas[key] + entry.size)
            for key, entry in self.strata.items()
        }
        return replace(self, strata=strata)

    def recombine(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Pairs of parts within strata, strata in proportion to their sizes.

        Parts are drawn as often as they occur, without repeating a pair. What an exhausted stratum
        cannot give, the others give.

        Args:
            n: How many.
            seed: Same seed, same decoys.
            forbidden: Canonical forms that must not come out, beside the pool's own texts.

        Returns:
            At most ``n``, distinct after canonicalisation; fewer where the pool is exhausted.
        """
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
        taken = _Taken(forbidden, self.own)
        children = rng.spawn(len(self.strata))
        streams = {
            key: _pairs(entry, child)
            for (key, entry), child in zip(self.strata.items(), children, strict=True)
        }
        sizes = {key: entry.size for key, entry in self.strata.items()}
        return _shared_out(n, sizes, streams, taken, rng)

    def across_strata(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Pairs whose parts come from different strata of one script: a negative control.

        Args:
            n: How many.
            seed: Same seed, same decoys.
            forbidden: Canonical forms that must not come out, beside the pool's own texts.

        Returns:
            At most ``n`` decoys; none where no script of the pool has two strata.
        """
        rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
        taken = _Taken(forbidden, self.own)
        sizes: dict[str, int] = {}
        streams: dict[str, Iterator[str]] = {}
        for key, one in self.strata.items():
            for other_key, other in self.strata.items():
                same_layout = (one.joiner, one.family_first) == (other.joiner, other.family_first)
                same_script = one.name.split("/")[0] == other.name.split("/")[0]
                if key != other_key and same_layout and same_script:
                    pair = f"{key} {other_key}"
                    sizes[pair] = one.size * other.size
                    streams[pair] = _pairs(replace(one, lasts=other.lasts), rng.spawn(1)[0])
        return _shared_out(n, sizes, streams, taken, rng)

    def lone_parts(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Decoys of one part: given and family parts on their own.

        They come from the strata of the pool's one-part texts (of all its texts where it has none):
        the list's own parts first, then the common parts of the locale, then those of the script's
        other locales as far as they are needed.

        Args:
            n: How many.
            seed: Same seed, same decoys.
            forbidden: Canonical forms that must not come out, beside the pool's own texts.

        Returns:
            At most ``n`` decoys, distinct after canonicalisation.
        """
        rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
        sizes = dict(self.lone)
        if not sizes:
            for entry in self.strata.values():
                sizes[entry.name] = sizes.get(entry.name, 0) + entry.size
        streams = {name: _lone_stream(name, self, rng.spawn(1)[0]) for name in sizes}
        return _shared_out(n, sizes, streams, _Taken(forbidden, self.own, lone=True), rng)


class _Taken:
    """What has come out or must not; decoys have two parts, or one where ``lone``."""

    def __init__(
        self, forbidden: AbstractSet[str], own: AbstractSet[str], *, lone: bool = False
    ) -> None:
        self._forbidden, self._own, self._lone = forbidden, own, lone
        self._out: set[str] = set()

    def admits(self, text: str) -> bool:
        """Whether a text is new and allowed; it counts as taken then."""
        key = canonical(text)
        if key in self._out or key in self._own or key in self._forbidden or refusal(text):
            return False
        if self._lone != (parse_name(text).last == ""):
            return False
        self._out.add(key)
        return True


def _key(name: Name) -> str:
    """Stratum and, where it is not first-space-last, the way the name is written."""
    if name.joiner == " " and not name.family_first:
        return name.stratum
    return f"{name.stratum}|{'last' if name.family_first else 'first'}{name.joiner}"


def _stratum(names: Sequence[Name]) -> Stratum:
    """The stratum of names that share a key."""
    head = names[0]
    firsts = tuple(sorted(name.first for name in names))
    lasts = tuple(sorted(name.last for name in names))
    return Stratum(head.stratum, firsts, lasts, head.joiner, head.family_first, len(names))


def _topped_up(entry: Stratum, minimum: int) -> Stratum:
    """The stratum with as many common parts as ``minimum`` combinations need."""
    if entry.combinations >= minimum:
        return entry
    firsts, lasts = (_reference(entry, kind) for kind in ("first", "last"))
    own_firsts, own_lasts = len(set(entry.firsts)), len(set(entry.lasts))
    added, most = 0, max(len(firsts), len(lasts))
    while added < most:
        added += 1
        if (own_firsts + min(added, len(firsts))) * (own_lasts + min(added, len(lasts))) >= minimum:
            break
    return replace(
        entry,
        firsts=_blend(entry.firsts, firsts[:added]),
        lasts=_blend(entry.lasts, lasts[:added]),
    )


def _reference(entry: Stratum, kind: str) -> tuple[str, ...]:
    """Common parts of the stratum, then of its script's first locale, none of them its own."""
    script = entry.name.split("/")[0]
    found: dict[str, str] = {}
    for name in (entry.name, f"{script}/*"):
        parts = reference_parts(name, _LISTED_PAIRS)
        for part in parts.firsts if kind == "first" else parts.lasts:
            found.setdefault(canonical(part), part)
    own = {canonical(part) for part in (entry.firsts if kind == "first" else entry.lasts)}
    return tuple(part for key, part in found.items() if key not in own)


def _blend(own: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """Own and added parts, the own repeated until they weigh as much as the added ones."""
    times = max(1, round(len(added) / len(own)))
    return tuple(sorted(own * times + added))


def _pairs(entry: Stratum, rng: np.random.Generator) -> Iterator[str]:
    """Texts of a stratum, the likelier pairs earlier; ends when it is (nearly) exhausted."""
    firsts, first_counts = _counted(entry.firsts)
    lasts, last_counts = _counted(entry.lasts)
    if entry.combinations <= _LISTED_PAIRS:
        # Exponential keys: weighted sampling without replacement (Efraimidis and Spirakis 2006).
        weight = np.outer(first_counts, last_counts).ravel()
        order = np.argsort(rng.exponential(size=weight.size) / weight, kind="stable")
        for start in range(0, len(order), _BATCH):
            for index in order[start : start + _BATCH].tolist():
                yield entry.text(firsts[index // len(lasts)], lasts[index % len(lasts)])
        return
    for _ in range(_DRAWS_PER_PAIR * entry.combinations // _BATCH):
        rows = rng.integers(len(entry.firsts), size=_BATCH).tolist()
        columns = rng.integers(len(entry.lasts), size=_BATCH).tolist()
        for row, column in zip(rows, columns, strict=True):
            yield entry.text(entry.firsts[row], entry.lasts[column])


def _counted(parts: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Distinct parts with how often each occurs."""
    counts = Counter(parts)
    return list(counts), np.array(list(counts.values()), dtype=np.float64)


def _lone_stream(name: str, pool: PartPool, rng: np.random.Generator) -> Iterator[str]:
    """Single parts of a stratum: the pool's own, the locale's common ones, the script's."""
    own = sorted(
        {
            part
            for entry in pool.strata.values()
            if entry.name == name
            for part in (*entry.firsts, *entry.lasts)
        }
    )
    yield from (own[index] for index in rng.permutation(len(own)))
    script, _, locale = name.partition("/")
    script = script if script in LOCALES else "latin"
    for place in dict.fromkeys((locale, *LOCALES[script])):
        if place in LOCALES[script]:
            parts = sorted(
                set(part_list(script, place, "first").parts)
                | set(part_list(script, place, "last").parts)
            )
            yield from (parts[index] for index in rng.permutation(len(parts)))


def _shared_out(
    n: int,
    sizes: Mapping[str, int],
    streams: Mapping[str, Iterator[str]],
    taken: _Taken,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """``n`` texts from streams in proportion to sizes, shuffled."""
    found: list[str] = []
    open_sizes = dict(sizes)
    while len(found) < n and open_sizes:
        for key, quota in apportion(n - len(found), open_sizes).items():
            got = 0
            while got < quota and (text := next(streams[key], None)) is not None:
                if taken.admits(text):
                    found.append(text)
                    got += 1
            if got < quota:
                del open_sizes[key]
    return tuple(found[index] for index in rng.permutation(len(found)))

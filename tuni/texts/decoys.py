"""Decoys: plausible texts that the model was not trained on, recombined or drawn from Faker.

The one law: a decoy never equals a forbidden text or a text of its own pool after
canonicalisation, and the result depends on the set of texts and the seed, not on their order.
Any beginning of a result is a fair sample of the whole. Each part has a seed of its own, and a
pair's place in the draw follows from its two parts, so that a list which grows keeps nearly all
decoys that it had.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuni.hashing import derive_seed
from tuni.texts.faker_decoys import apportion
from tuni.texts.name_lists import LOCALES, part_list
from tuni.texts.names import Name, parse_name
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical, refusal

_ALL_PARTS = 1_000_000  # more than any list of common parts holds
_CHUNK = 1 << 20  # pairs that are looked at in one go: bounds memory
_LAST_REACH = 20.0  # keys above it are left to the last look: nearly all pairs came before
_FIRST_PAIRS = 1 << 16  # pairs of a stratum that are put in order before more are looked for
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
        seed = derive_seed(seed, "recombined")
        streams = {key: _pairs(entry, seed) for key, entry in self.strata.items()}
        sizes = {key: entry.size for key, entry in self.strata.items()}
        return _shared_out(n, sizes, streams, _Taken(forbidden, self.own), seed)

    def across_strata(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Pairs whose parts come from different strata of one script: a negative control.

        Args:
            n: How many.
            seed: Same seed, same decoys.
            forbidden: Canonical forms that must not come out, beside the pool's own texts.

        Returns:
            At most ``n`` decoys; none where no script of the pool has two strata.
        """
        seed = derive_seed(seed, "across strata")
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
                    streams[pair] = _pairs(replace(one, lasts=other.lasts), seed)
        return _shared_out(n, sizes, streams, taken, seed)

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
        seed = derive_seed(seed, "lone parts")
        sizes = dict(self.lone)
        if not sizes:
            for entry in self.strata.values():
                sizes[entry.name] = sizes.get(entry.name, 0) + entry.size
        streams = {name: _lone_stream(name, self, seed) for name in sizes}
        return _shared_out(n, sizes, streams, _Taken(forbidden, self.own, lone=True), seed)


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
        parts = reference_parts(name, _ALL_PARTS)
        for part in parts.firsts if kind == "first" else parts.lasts:
            found.setdefault(canonical(part), part)
    own = {canonical(part) for part in (entry.firsts if kind == "first" else entry.lasts)}
    return tuple(part for key, part in found.items() if key not in own)


def _blend(own: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """Own and added parts, the own repeated until they weigh as much as the added ones."""
    times = max(1, round(len(added) / len(own)))
    return tuple(sorted(own * times + added))


def _pairs(entry: Stratum, seed: int) -> Iterator[str]:
    """All texts of a stratum in the order of the draw, the likelier pairs earlier.

    Exponential keys: weighted sampling without replacement (Efraimidis and Spirakis 2006), where
    a pair's random number is mixed from those of its parts.
    """
    firsts, first_counts = _counted(entry.firsts)
    lasts, last_counts = _counted(entry.lasts)
    rows, columns = (
        _numbers(parts, seed, f"{entry.name} {kind}")
        for parts, kind in ((firsts, "first"), (lasts, "last"))
    )
    step = max(1, _CHUNK // len(lasts))
    below, reach = 0.0, _FIRST_PAIRS / (len(entry.firsts) * len(entry.lasts))
    while True:
        if entry.combinations <= _FIRST_PAIRS:
            reach = np.inf
        near: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
        for start in range(0, len(firsts), step):
            some = slice(start, start + step)
            weights = np.outer(first_counts[some], last_counts).ravel()
            uniform = _uniform(rows[some], columns)
            # Of what lies within reach, since -log(1 - u) >= u.
            place = np.flatnonzero(uniform < reach * weights)
            keys = -np.log1p(-uniform[place]) / weights[place]
            wanted = (keys >= below) & (keys < reach)
            near.append((keys[wanted], place[wanted] + start * len(lasts)))
        keys, places = (np.concatenate(columns) for columns in zip(*near, strict=True))
        for index in places[np.argsort(keys, kind="stable")].tolist():
            yield entry.text(firsts[index // len(lasts)], lasts[index % len(lasts)])
        if reach == np.inf:
            return
        below, reach = reach, (np.inf if reach > _LAST_REACH else 4 * reach)


def _numbers(parts: Sequence[str], seed: int, purpose: str) -> NDArray[np.uint64]:
    """A random number of 64 bits for each part, its own whatever other parts there are."""
    digests = (
        hashlib.blake2b(f"{seed} {purpose} {part}".encode(), digest_size=8).digest()
        for part in parts
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _uniform(rows: NDArray[np.uint64], columns: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Random numbers in [0, 1) of all pairs, shape (rows * columns,), mixed as by splitmix64."""
    mixed = (rows[:, None] + columns[None, :] * np.uint64(0x9E3779B97F4A7C15)).ravel()
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _counted(parts: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Distinct parts with how often each occurs."""
    counts = Counter(parts)
    return list(counts), np.array(list(counts.values()), dtype=np.float64)


def _lone_stream(name: str, pool: PartPool, seed: int) -> Iterator[str]:
    """Single parts of a stratum: the pool's own, the locale's common ones, the script's."""
    own = {
        part
        for entry in pool.strata.values()
        if entry.name == name
        for part in (*entry.firsts, *entry.lasts)
    }
    yield from _mixed(own, seed)
    script, _, locale = name.partition("/")
    script = script if script in LOCALES else "latin"
    for place in dict.fromkeys((locale, *LOCALES[script])):
        if place in LOCALES[script]:
            firsts, lasts = (part_list(script, place, kind).parts for kind in ("first", "last"))
            yield from _mixed({*firsts, *lasts}, seed)


def _mixed(texts: Iterable[str], seed: int) -> list[str]:
    """Distinct texts in an order of chance, in which each keeps its place among others."""
    every = sorted(texts)
    order = np.argsort(_numbers(every, seed, "order"), kind="stable")
    return [every[index] for index in order.tolist()]


def _shared_out(
    n: int,
    sizes: Mapping[str, int],
    streams: Mapping[str, Iterator[str]],
    taken: _Taken,
    seed: int,
) -> tuple[str, ...]:
    """``n`` texts from streams in proportion to sizes, mixed."""
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
    return tuple(_mixed(found, seed))

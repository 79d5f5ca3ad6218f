"""Decoys drawn from Faker's lists, in the cultures and token lengths of a list of names.

The one law: as in `tuni.texts.decoys`. Here parts are strangers to the list: such decoys have the
most power where the model knows all common parts, and are unfair where its vocabulary is small.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias, TypeVar

import numpy as np

from tuni.errors import TooFewTexts
from tuni.texts.name_lists import LOCALES, part_list
from tuni.texts.names import UNKNOWN, Name, parse_name
from tuni.texts.text import canonical, refusal

# Candidates per decoy and round; rounds until missing lengths are taken from their neighbours.
_EXCESS, _ROUNDS = 3, 6
# Script, locale, joiner, family first.
_Layout: TypeAlias = tuple[str, str, str, bool]
_Key = TypeVar("_Key", bound=Hashable)


def faker_decoys(
    like: Sequence[str],
    n: int,
    seed: int,
    forbidden: AbstractSet[str],
    token_length: Callable[[Sequence[str]], Sequence[int]],
) -> tuple[str, ...]:
    """Names by locale, in the same proportions and with the same token lengths as a list.

    Parts are drawn by their share in the population; given and family names of one gender go
    together where Faker tells them apart. Lengths that Faker's names do not reach are replaced by
    the nearest ones.

    Args:
        like: The list; texts of one part are left out.
        n: How many.
        seed: Same seed, same decoys.
        forbidden: Canonical forms that must not come out, beside ``like``.
        token_length: Tokens of each text, e.g. the target's.

    Returns:
        At most ``n`` decoys, distinct after canonicalisation; the order is random.

    Raises:
        TooFewTexts: ``like`` holds no text of two parts.
    """
    groups: dict[_Layout, list[str]] = {}
    for text in sorted({canonical(text): text for text in sorted(like)}.values()):
        name = parse_name(text)
        if name.last:
            layout = (name.script, name.locale, name.joiner, name.family_first)
            groups.setdefault(layout, []).append(name.text)
    if not groups:
        raise TooFewTexts(
            "decoys: no text of two parts to draw Faker names like",
            "use decoys by recombination, or a file of your own",
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 4]))
    taken = {canonical(text) for text in like} | forbidden
    quotas = apportion(n, {layout: len(groups[layout]) for layout in sorted(groups)})
    chosen: list[str] = []
    for layout, quota in quotas.items():
        lengths = Counter(int(length) for length in token_length(groups[layout]))
        wanted = apportion(quota, dict(sorted(lengths.items())))
        spare: dict[int, list[str]] = {}
        for _ in range(_ROUNDS):
            if all(len(spare.get(length, ())) >= count for length, count in wanted.items()):
                break
            fresh = _draw(layout, _EXCESS * quota + 64, rng, taken)
            for text, length in zip(fresh, token_length(fresh) if fresh else (), strict=True):
                spare.setdefault(int(length), []).append(text)
        chosen += _matched(wanted, spare)
    return tuple(chosen[index] for index in rng.permutation(len(chosen)))


def _draw(layout: _Layout, n: int, rng: np.random.Generator, taken: set[str]) -> list[str]:
    """``n`` draws in a culture; those that are new, which count as taken then."""
    script, locale, joiner, family_first = layout
    script = script if script in LOCALES else "latin"
    locale = LOCALES[script][0] if locale == UNKNOWN else locale
    firsts, lasts = (part_list(script, locale, kind) for kind in ("first", "last"))
    fresh: list[str] = []
    rows, columns = (_by_share(parts.weights, n, rng) for parts in (firsts, lasts))
    for row, column in zip(rows, columns, strict=True):
        if firsts.genders[row] + lasts.genders[column] == 1:
            continue  # a man's given name with a woman's family name, or the reverse
        first, last = firsts.parts[row], lasts.parts[column]
        text = Name(first, last, joiner, family_first, locale, script).text
        key = canonical(text)
        if key not in taken and refusal(text) is None and parse_name(text).last:
            taken.add(key)
            fresh.append(text)
    return fresh


def _by_share(weights: Sequence[float], count: int, rng: np.random.Generator) -> list[int]:
    """Indices drawn by weight."""
    share = np.asarray(weights)
    indices: list[int] = rng.choice(len(share), size=count, p=share / share.sum()).tolist()
    return indices


def apportion(n: int, sizes: Mapping[_Key, int]) -> dict[_Key, int]:
    """``n`` shared out by sizes (largest remainder; a tie goes to the earlier key)."""
    total = max(1, sum(sizes.values()))
    exact = {key: n * size / total for key, size in sizes.items()}
    quotas = {key: int(value) for key, value in exact.items()}
    rest = n - sum(quotas.values())
    for key in sorted(exact, key=lambda key: quotas[key] - exact[key])[:rest]:
        quotas[key] += 1
    return quotas


def _matched(wanted: dict[int, int], spare: dict[int, list[str]]) -> list[str]:
    """Texts by wanted length, then the nearest lengths for what is missing."""
    chosen: list[str] = []
    missing: list[int] = []
    for length, count in wanted.items():
        mine = spare.get(length, [])
        chosen += mine[:count]
        missing += [length] * (count - len(mine[:count]))
        spare[length] = mine[count:]
    for length in missing:
        nearest = min(
            (other for other, texts in spare.items() if texts),
            key=lambda other: (abs(other - length), other),
            default=None,
        )
        if nearest is None:
            break
        chosen.append(spare[nearest].pop(0))
    return chosen

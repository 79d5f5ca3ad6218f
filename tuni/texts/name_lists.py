"""Faker's own lists of name parts, read without Faker's generators.

The one law: the same lists in the same order in every process. Nothing is read before it is asked
for, and each locale only once.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import chain, pairwise, zip_longest

from tuni.texts.name_words import COMMON
from tuni.texts.text import canonical, clean_text, script_of

# Per script, the locales that are looked up, the likeliest first; the first serves "script/*".
LOCALES: Mapping[str, tuple[str, ...]] = {
    "latin": (
        "en_US",
        "de_DE",
        "fr_FR",
        "es_ES",
        "it_IT",
        "pl_PL",
        "nl_NL",
        "pt_BR",
        "sv_SE",
        "tr_TR",
        "cs_CZ",
        "fi_FI",
        "da_DK",
        "no_NO",
        "hu_HU",
        "ro_RO",
    ),
    "han": ("zh_CN", "zh_TW", "ja_JP"),
    "kana": ("ja_JP",),
    "hangul": ("ko_KR",),
    "cyrillic": ("ru_RU", "uk_UA", "bg_BG"),
    "arabic": ("ar_AA", "fa_IR"),
    "hebrew": ("he_IL",),
    "devanagari": ("hi_IN",),
    "bengali": ("bn_BD",),
    "greek": ("el_GR",),
    "georgian": ("ka_GE",),
    "armenian": ("hy_AM",),
    "thai": ("th_TH",),
}
# A list by frequency rises half of the time; one sorted by a national alphabet nearly always.
_ALPHABETICAL = 0.7
_CASED = frozenset({"latin", "cyrillic", "greek", "armenian"})
# Polish family names stand in attributes of their own; Faker's generic one is a placeholder.
_OWN_LASTS = {"pl_PL": ("unisex_last_names", "male_last_names")}
# Parts that a given or family name of one piece may hold beside letters and marks.
_INNER_SIGNS = frozenset("-'’")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class PartList:
    """Parts of one kind (given or family names) of one locale.

    Attributes:
        parts: Usable parts, the most common first (`part_list` says how that is known).
        weights: Share of each part in the population, same length.
        genders: 0 where only the male list holds the part, 1 only the female, 2 otherwise.
        known: Canonical form -> share, of all entries, those unfit for reuse included.
    """

    parts: tuple[str, ...]
    weights: tuple[float, ...]
    genders: tuple[int, ...]
    known: Mapping[str, float]


@cache
def part_list(script: str, locale: str, kind: str) -> PartList:
    """The given (``kind="first"``) or family (``"last"``) names of a locale.

    Order: by Faker's weight where it has weights; else the shipped common names
    (`tuni.texts.name_words.COMMON`), then as listed where the list is plainly not alphabetical
    (such lists go by frequency), else by the number of locales of the same script that list the
    part, then by a fixed hash. Where given names are listed by gender, the two orders are
    interleaved.
    Where Faker has no weights, a share falls with the rank as 1 / (rank + 10) (ours). Dropped as
    unfit: parts with spaces, digits, stops or titles, or in another script than the locale's.

    Args:
        script: Key of `LOCALES`.
        locale: One of ``LOCALES[script]``.
        kind: ``"first"`` or ``"last"``.
    """
    groups = _raw(script, locale, kind)
    orders = [_ordered(script, kind, group) for group in groups]
    head = COMMON.get(locale, ("", ""))[kind == "last"].split() if script != "kana" else []
    merged = dict.fromkeys(head)
    merged |= dict.fromkeys(part for tier in zip_longest(*orders) for part in tier if part)
    if any(_has_weights(group) for group in groups):
        weight = {part: sum(group.get(part, 0.0) for group in groups) for part in merged}
    else:
        weight = {part: 1 / (rank + 10) for rank, part in enumerate(merged)}
    total = sum(weight.values())
    parts = tuple(part for part in merged if _usable(script, part))
    known: dict[str, float] = {}
    for part, share in weight.items():
        key = canonical(part)
        known[key] = known.get(key, 0.0) + share / total
    shares = tuple(weight[part] / total for part in parts)
    return PartList(parts, shares, tuple(_gender(part, groups) for part in parts), known)


def given_name_gender(stratum: str, part: str) -> str:
    """Gender of a given name by the lists of its stratum's locale, or of all its script's.

    Args:
        stratum: Such as ``"latin/de_DE"`` or ``"latin/*"``.
        part: The given name.

    Returns:
        ``"male"`` or ``"female"`` where the lists that hold it agree, else ``""``.
    """
    script, _, locale = stratum.partition("/")
    places = LOCALES.get(script, ())
    key = canonical(part)
    found = {
        gender
        for place in ((locale,) if locale in places else places)
        if (gender := _genders(script, place).get(key)) is not None
    }
    return ("male", "female", "")[found.pop()] if len(found) == 1 else ""


@cache
def _genders(script: str, locale: str) -> Mapping[str, int]:
    """Canonical given name -> its gender, as `PartList.genders` says."""
    names = part_list(script, locale, "first")
    return {
        canonical(part): gender for part, gender in zip(names.parts, names.genders, strict=True)
    }


@cache
def _raw(script: str, locale: str, kind: str) -> tuple[dict[str, float], ...]:
    """Faker's entries with weights, one mapping per gender where it tells them apart."""
    provider = import_module(f"faker.providers.person.{locale}").Provider
    stem = f"{kind}_kana_names" if script == "kana" else f"{kind}_names"
    if kind == "last" and locale in _OWN_LASTS:
        names = chain.from_iterable(getattr(provider, name) for name in _OWN_LASTS[locale])
        return (_weighted(names),)
    attributes: tuple[str, ...] = (f"{stem}_male", f"{stem}_female")
    if not all(hasattr(provider, name) for name in attributes):
        attributes = (stem,)
    return tuple(_weighted(getattr(provider, name)) for name in attributes)


def _weighted(entry: Mapping[str, float] | Iterable[str]) -> dict[str, float]:
    """Clean parts -> weight; 1 each where Faker gives none."""
    pairs = entry.items() if isinstance(entry, Mapping) else ((part, 1.0) for part in entry)
    weights: dict[str, float] = {}
    for part, share in pairs:
        if cleaned := clean_text(part):
            weights[cleaned] = max(weights.get(cleaned, 0.0), float(share))
    return weights


def _gender(part: str, groups: tuple[dict[str, float], ...]) -> int:
    """0, 1 or 2 as `PartList.genders` says."""
    holders = [index for index, group in enumerate(groups) if part in group]
    return holders[0] if len(groups) == 2 and len(holders) == 1 else 2


def _has_weights(group: Mapping[str, float]) -> bool:
    """Whether Faker tells common parts from rare ones."""
    return len(set(group.values())) > 1


def _ordered(script: str, kind: str, group: Mapping[str, float]) -> list[str]:
    """Parts of one gender, the most common first."""
    parts = list(group)
    if _has_weights(group):
        return sorted(parts, key=lambda part: (-group[part], part))
    keys = [canonical(part) for part in parts]
    rising = sum(left <= right for left, right in pairwise(keys))
    if rising < _ALPHABETICAL * (len(keys) - 1):
        return parts
    shared = _listings(script, kind)
    return sorted(parts, key=lambda part: (-shared[canonical(part)], _hash(part)))


@cache
def _listings(script: str, kind: str) -> Mapping[str, int]:
    """Canonical part -> number of the script's locales that list it."""
    counts: dict[str, int] = {}
    for locale in LOCALES[script]:
        entries = chain.from_iterable(_raw(script, locale, kind))
        for key in dict.fromkeys(canonical(part) for part in entries):
            counts[key] = counts.get(key, 0) + 1
    return counts


def _usable(script: str, part: str) -> bool:
    """Whether a part is one plain piece of the script, with a capital where there are capitals."""
    plain = all(
        sign.isalpha() or sign in _INNER_SIGNS or unicodedata.category(sign)[0] == "M"
        for sign in part
    )
    small = script in _CASED and part[0].islower()
    ends = part[0] not in _INNER_SIGNS and part[-1] not in _INNER_SIGNS
    return plain and ends and not small and script_of(part) == script


def _hash(part: str) -> bytes:
    """A fixed order without meaning."""
    return hashlib.sha256(part.encode()).digest()

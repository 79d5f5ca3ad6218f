"""Common parts of names, by stratum: what stands in for a part that is not the name's own."""

from tuni.texts.kind import NeighbourParts
from tuni.texts.name_lists import LOCALES, part_list
from tuni.texts.names import UNKNOWN

REFERENCE_PARTS = 12  # 8 neighbours of each kind and spares


def reference_parts(stratum: str, n: int) -> NeighbourParts:
    """Common parts of a stratum, the most common first (Faker's lists, our order).

    Args:
        stratum: As `Name.stratum`. For ``"script/*"`` the script's first locale serves, for
            anything unknown (also ``"*"``) ``en_US``.
        n: Parts of each kind wanted; fewer where the list holds fewer.

    Returns:
        Parts whose ``stratum`` is the one asked for.
    """
    script, locale = _served(stratum)
    firsts, lasts = (part_list(script, locale, kind).parts[:n] for kind in ("first", "last"))
    return NeighbourParts(stratum, firsts, lasts)


def all_reference_parts(n: int = REFERENCE_PARTS) -> tuple[NeighbourParts, ...]:
    """`reference_parts` of every stratum with lists of its own, and of ``"*"`` for all others.

    Args:
        n: Parts of each kind per stratum.
    """
    strata = ["*"]
    for script, locales in LOCALES.items():
        strata += [f"{script}/{locale}" for locale in (UNKNOWN, *locales)]
    return tuple(reference_parts(stratum, n) for stratum in strata)


def _served(stratum: str) -> tuple[str, str]:
    """Script and locale whose lists serve a stratum."""
    script, _, locale = stratum.partition("/")
    if script not in LOCALES:
        return "latin", LOCALES["latin"][0]
    return script, locale if locale in LOCALES[script] else LOCALES[script][0]

"""Gibberish: texts that no one is called, to fit detectors on.

The one law: a seed and a spec give the same texts in every process, each distinct after
`canonical`, none of them forbidden. Plausible texts (decoys) are in `tuni.texts.decoys`.
"""

import string
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from tuni.errors import RequestError, TooFewTexts
from tuni.texts.names import parse_name
from tuni.texts.text import MAX_CHARACTERS, canonical, clean_text, refusal

# No signs that build HTML entities, special tokens, quotes or separators of tables.
ALPHABET = string.ascii_letters + string.digits + "!#$%*+-.:=?@^_~"
# Smallest pool of parts, and how many texts share one more part: shared parts make shared
# neighbours, which are the cost of a feature.
_POOL_FLOOR, _TEXTS_PER_PART = 64, 8
_ROUNDS = 64


@dataclass(frozen=True, slots=True)
class GibberishSpec:
    """How gibberish looks (ours, not the paper's).

    Attributes:
        alphabet: Characters to draw from, each equally likely.
        min_length: Fewest characters of a part.
        max_length: Most characters of a part.
        parts: Parts of a text, joined by spaces; 2 as a name has.
    """

    alphabet: str = ALPHABET
    min_length: int = 3
    max_length: int = 10
    parts: int = 2

    def __post_init__(self) -> None:
        """Refuse a spec that can give no text.

        Raises:
            RequestError: A field is out of bounds.
        """
        if not self.alphabet or self.alphabet != clean_text(self.alphabet).replace(" ", ""):
            raise RequestError(
                "gibberish alphabet: must hold characters, and no white space",
                "leave it out for letters, digits and symbols",
            )
        if not 1 <= self.min_length <= self.max_length:
            raise RequestError(
                f"gibberish lengths: {self.min_length} to {self.max_length}, "
                "expected 1 <= min_length <= max_length",
                "leave them out for 3 to 10",
            )
        if self.parts < 1 or self.parts * (self.max_length + 1) > MAX_CHARACTERS:
            raise RequestError(
                f"gibberish parts: {self.parts}, expected at least 1 and a text of at most "
                f"{MAX_CHARACTERS} characters",
                "leave it out for 2",
            )


def gibberish(
    n: int, spec: GibberishSpec, seed: int, forbidden: AbstractSet[str]
) -> tuple[str, ...]:
    """Random texts, distinct after `canonical`.

    Texts of several parts take each part from a pool of ``max(64, n // 8)`` random parts, so that
    neighbours are shared. ``gibberish(n)[:m]`` need not equal ``gibberish(m)``.

    Args:
        n: How many.
        spec: Alphabet, lengths, parts.
        seed: Same seed, same texts.
        forbidden: Canonical forms that must not come out.

    Raises:
        TooFewTexts: The spec cannot give so many distinct texts.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, n, spec.parts]))
    if spec.parts == 1:
        return _distinct_parts(n, spec, rng, forbidden)
    size = max(_POOL_FLOOR, n // _TEXTS_PER_PART)
    pool = _distinct_parts(size, spec, rng, frozenset(), enough=2)
    chosen: dict[str, str] = {}
    for _ in range(_ROUNDS):
        for row in rng.integers(len(pool), size=(n, spec.parts)).tolist():
            if len(chosen) == n:
                return tuple(chosen.values())
            text = " ".join(pool[index] for index in row)
            if parse_name(text).last:  # "von x8$k" has one part, and so no neighbours
                _keep(text, chosen, forbidden)
    return _all_or_error(n, chosen)


def _distinct_parts(
    n: int,
    spec: GibberishSpec,
    rng: np.random.Generator,
    forbidden: AbstractSet[str],
    enough: int | None = None,
) -> tuple[str, ...]:
    """``n`` random parts; at least ``enough`` where the alphabet is small."""
    chosen: dict[str, str] = {}
    for _ in range(_ROUNDS):
        lengths = rng.integers(spec.min_length, spec.max_length + 1, size=n)
        signs = rng.integers(len(spec.alphabet), size=(n, spec.max_length)).tolist()
        for length, row in zip(lengths.tolist(), signs, strict=True):
            if len(chosen) == n:
                return tuple(chosen.values())
            _keep("".join(spec.alphabet[index] for index in row[:length]), chosen, forbidden)
    return _all_or_error(n if enough is None else enough, chosen)


def _keep(text: str, chosen: dict[str, str], forbidden: AbstractSet[str]) -> None:
    """Add a text unless it is known, forbidden or refused."""
    key = canonical(text)
    if key not in chosen and key not in forbidden and refusal(text) is None:
        chosen[key] = clean_text(text)


def _all_or_error(n: int, chosen: dict[str, str]) -> tuple[str, ...]:
    """What was found, if it is enough."""
    if len(chosen) < n:
        raise TooFewTexts(
            f"gibberish: {n} distinct texts asked, {len(chosen)} possible with this alphabet "
            "and these lengths",
            "ask for fewer, or widen the alphabet or max_length",
        )
    return tuple(chosen.values())

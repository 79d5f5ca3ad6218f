"""The one object that says on which side a text falls.

The one law: a text's place depends on the key, the purpose and its canonical form alone. So the
same person falls on the same side every night, in whatever order and company it comes, and
texts that are added later move nobody.
"""

import hmac
import math
from collections.abc import Mapping, Sequence

from tuni.errors import RequestError, TextError
from tuni.texts.text import canonical

_KEY_BYTES = 16
_LISTED = 5


class Split:
    """Places texts by a keyed hash (HMAC-SHA256 of the canonical form)."""

    def __init__(self, key: bytes) -> None:
        """Take the home's key; without it nobody can compute a text's place.

        Raises:
            RequestError: The key has fewer than 16 bytes.
        """
        if len(key) < _KEY_BYTES:
            raise RequestError(
                f"split key: {len(key)} bytes, expected at least {_KEY_BYTES}",
                "use the key of the home",
            )
        self._key = key

    def fraction(self, text: str, purpose: str) -> float:
        """A number in [0, 1), uniform over texts and independent between purposes."""
        message = f"{purpose}\0{canonical(text)}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self._key, message, "sha256")
        return (int.from_bytes(digest[:8], "big") >> 11) / 2**53

    def divide(
        self, texts: Sequence[str], shares: Mapping[str, float], purpose: str
    ) -> dict[str, tuple[str, ...]]:
        """Divide texts into named sets, disjoint and of about the given shares.

        Sizes are binomial, not exact: exact sizes would let one text move another.

        Args:
            texts: Distinct after canonicalisation.
            shares: Set name -> relative share; they are scaled to sum to 1 and lie in this order
                along [0, 1).
            purpose: Name of this division; other purposes divide independently.

        Returns:
            Each set's texts, ordered by their fraction.

        Raises:
            TextError: Two texts are the same after canonicalisation.
            RequestError: A share is negative or not finite, or all are 0.
        """
        total = sum(shares.values())
        if not 0 < total < math.inf or min(shares.values()) < 0:
            raise RequestError(
                f"split shares: sum to {total:g}, expected shares of at least 0 that are not all 0",
                "give every set a share",
            )
        _refuse_twins(texts)
        placed = sorted((self.fraction(text, purpose), canonical(text), text) for text in texts)
        sets: dict[str, tuple[str, ...]] = {}
        low = reached = 0.0
        for name, share in shares.items():
            reached += share
            high = 1.0 if reached >= total else reached / total
            sets[name] = tuple(text for at, _, text in placed if low <= at < high)
            low = high
        return sets


def disjoint(sets: Mapping[str, Sequence[str]]) -> None:
    """Check that no text stands in two of the sets, after canonicalisation.

    A text that one set holds twice is no concern here.

    Raises:
        TextError: Names the two sets and the rows in them, never the text.
    """
    seen: dict[str, tuple[str, int]] = {}
    for name, texts in sets.items():
        for row, text in enumerate(texts, start=1):
            other, other_row = seen.setdefault(canonical(text), (name, row))
            if other != name:
                raise TextError(
                    f"{other} and {name}: share a text (row {other_row} of the first, "
                    f"row {row} of the second)",
                    "remove it from one of them; upper and lower case count as the same",
                )


def _refuse_twins(texts: Sequence[str]) -> None:
    """Raise where two texts are one subject."""
    first: dict[str, int] = {}
    twins = [
        (first[key], row)
        for row, text in enumerate(texts, start=1)
        if first.setdefault(key := canonical(text), row) != row
    ]
    if twins:
        listed = ", ".join(f"{one} and {two}" for one, two in twins[:_LISTED])
        more = f" and {len(twins) - _LISTED} more" if len(twins) > _LISTED else ""
        raise TextError(
            f"texts: rows {listed}{more} are the same after canonicalisation",
            "keep one of each; upper and lower case count as the same",
        )

"""What a list's decoys need to know of the list: its size and the texts that they are made from.

The one law: a shape depends on the set of texts, never on their order, and its size is bounded
whatever the length of the list.
"""

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from tuni.texts.kind import TextKind
from tuni.texts.text import canonical

# Texts of a kind that decoys are recombined from; a longer list gives a sample (ours: as many
# as there are decoys at most).
SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list of any length, in bounded memory.

    Attributes:
        pairs: Distinct texts of two parts and more.
        lone: Distinct texts of one part.
        pair_sample: Those that decoys are recombined from, by canonical form: all of them, or a
            sample.
        lone_sample: Likewise of one part.
    """

    pairs: int
    lone: int
    pair_sample: tuple[str, ...]
    lone_sample: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], kind: TextKind, sample: int = SAMPLE) -> "ListShape":
        """Gather a shape in one pass.

        The sample holds the texts whose canonical forms have the smallest hashes. It is the same
        for every checkpoint that the list is judged by, so that their verdicts can be compared.

        Args:
            texts: Texts that are pairwise distinct after `canonical`; the caller sees to it.
            kind: Theirs.
            sample: Texts of a kind to keep; 0 where no decoys are made of them.
        """
        pairs, lone = _Smallest(sample), _Smallest(sample)
        for text in texts:
            (pairs if kind.has_parts(text) else lone).add(text)
        return cls(pairs.seen, lone.seen, pairs.texts(), lone.texts())

    @property
    def size(self) -> int:
        """Distinct texts of the list."""
        return self.pairs + self.lone

    @property
    def whole(self) -> bool:
        """Whether the samples are the list."""
        return self.size == len(self.pair_sample) + len(self.lone_sample)


class _Smallest:
    """Counts texts and keeps those with the smallest hashes."""

    def __init__(self, keep: int) -> None:
        self.seen = 0
        self._keep = keep
        self._heap: list[tuple[int, str, str]] = []  # the largest hash on top, as its negative

    def add(self, text: str) -> None:
        self.seen += 1
        if not self._keep:
            return
        key = canonical(text)
        digest = hashlib.blake2b(key.encode(), digest_size=16, person=b"list sample").digest()
        entry = (-int.from_bytes(digest, "big"), key, text)
        if len(self._heap) < self._keep:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def texts(self) -> tuple[str, ...]:
        return tuple(text for _, _, text in sorted(self._heap, key=lambda entry: entry[1:]))

"""Who stands in which row of a list: read once, in a few dozen bytes a row."""

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

from tuni.lists.csv_rows import Wrong
from tuni.lists.files import Row, SubjectRows, text_refusal
from tuni.lists.reading import RowTexts, names
from tuni.texts.text import canonical

REFUSED = -1  # the person of a row that cannot be scored

Numbers = NDArray[np.int64]


class CompactTexts(Sequence[str]):
    """Texts in one buffer: their bytes in UTF-8 and 8 bytes more each."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Hold the given texts."""
        self._bytes = bytearray()
        self._ends = array("q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode()


class TextRows:
    """A list in memory; see `SubjectRows`."""

    unit = "row"

    def __init__(self, texts: Sequence[str]) -> None:
        """Hold the given texts."""
        self._texts = texts

    def rows(self) -> Iterator[tuple[int, Row]]:
        """See `SubjectRows.rows`."""
        for number, text in enumerate(self._texts, 1):
            yield number, {"text": text}


@dataclass(frozen=True, slots=True, eq=False)
class ListIndex:
    """The people of a list, each once, and the rows that they stand in.

    Attributes:
        source: The list.
        people: Person of each row, from 0, or `REFUSED`; shape (rows,).
        places: Number of each row in the source; shape (rows,).
        reasons: Why a refused row cannot be scored, by row.
        texts: Spelling of each person that is judged: the least one of those on the list, so that
            the order of the rows moves nothing.
        keys: Two halves of the digest of each person's canonical form, ascending, shape
            (2, people).
        reading: How rows become texts.
    """

    source: SubjectRows
    people: Numbers
    places: Numbers
    reasons: Mapping[int, str]
    texts: CompactTexts
    keys: NDArray[np.uint64]
    reading: RowTexts

    @property
    def scored(self) -> int:
        """Rows that can be scored."""
        return int((self.people != REFUSED).sum())

    def on_list(self, texts: Sequence[str]) -> list[int]:
        """Rows of ``texts`` that are on the list, refused rows left out."""
        listed = []
        for row, text in enumerate(texts):
            first, second = _digest(canonical(text))
            begin, end = (
                int(np.searchsorted(self.keys[0], np.uint64(first), side))
                for side in ("left", "right")
            )
            if (self.keys[1, begin:end] == second).any():
                listed.append(row)
        return listed

    def without(self, reasons: Mapping[int, str], wrong: Wrong) -> "ListIndex":
        """The index with some people refused.

        Args:
            reasons: Why, by person.
            wrong: Is told of each of their rows.
        """
        if not reasons:
            return self
        leaves = np.zeros(len(self.texts), dtype=bool)
        leaves[list(reasons)] = True
        rows = np.flatnonzero((self.people != REFUSED) & leaves[self.people])
        refused = {row: reasons[int(self.people[row])] for row in rows.tolist()}
        for row, reason in refused.items():
            wrong.add(int(self.places[row]), reason, self.source.unit)
        number = np.where(leaves, REFUSED, np.cumsum(~leaves) - 1)
        return replace(
            self,
            people=np.where(self.people == REFUSED, REFUSED, number[self.people]),
            reasons=dict(sorted({**self.reasons, **refused}.items())),
            texts=CompactTexts(self.texts[person] for person in np.flatnonzero(~leaves).tolist()),
            keys=self.keys[:, ~leaves],
        )


def read_list(source: SubjectRows, wrong: Wrong, reading: RowTexts | None = None) -> ListIndex:
    """Read a list once: who stands in which row, and which texts no model may be asked about.

    Args:
        source: The list.
        wrong: Is told of each row that is refused.
        reading: How rows become texts; None takes names.

    Raises:
        TextError: The source is no table of texts.
    """
    reading = reading or names()
    first, second, places, rows = array("Q"), array("Q"), array("q"), array("q")
    spellings = CompactTexts()
    reasons: dict[int, str] = {}
    for row, (place, cells) in enumerate(source.rows()):
        places.append(place)
        if (reason := text_refusal(raw := reading.raw(cells))) is not None:
            wrong.add(place, reason, source.unit)
            reasons[row] = reason
            continue
        text = reading.standard(raw)
        spellings.append(text)
        rows.append(row)
        for half, digest in zip((first, second), _digest(canonical(text)), strict=True):
            half.append(digest)
    keys = np.stack([np.array(half, dtype=np.uint64) for half in (first, second)])
    # People are numbered by their digests, which no order of the rows moves.
    order = np.lexsort((keys[1], keys[0]))
    keys = keys[:, order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    people = np.full(len(places), REFUSED, dtype=np.int64)
    people[np.array(rows, dtype=np.int64)[order]] = np.cumsum(begins) - 1
    bounds = np.append(np.flatnonzero(begins), len(order)).tolist()
    texts = CompactTexts(
        min(spellings[entry] for entry in order[begin:end].tolist())
        for begin, end in pairwise(bounds)
    )
    places_read = np.array(places, dtype=np.int64)
    return ListIndex(source, people, places_read, reasons, texts, keys[:, begins], reading)


# Which of some texts took part in choosing the detector, by row.
SelectedOn = Callable[[Sequence[str]], Collection[int]]


def _digest(text: str) -> tuple[int, int]:
    whole = hashlib.blake2b(text.encode(), digest_size=16, person=b"list index").digest()
    return int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")

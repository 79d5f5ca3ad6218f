"""One family's extraction: which texts it needs, in which blocks, and the means over neighbours.

The one law: every distinct text is encoded once, and a mean adds its neighbours in a fixed order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS
from tuni.features.registry import Family, extractor_of, family_named
from tuni.features.spec import FeatureSpec
from tuni.model.target import Target
from tuni.pictures.bank import Bank
from tuni.progress import Progress
from tuni.texts.kind import text_kind

Columns = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class FamilyWork:
    """How to extract one family.

    Attributes:
        target: The audited checkpoint.
        spec: What to extract.
        name: The family's name; the spec holds it.
        bank: The bank that the spec names.
        progress: Draws the stage.
        paired: Whether the means over neighbours are wanted; texts then have two parts.
    """

    target: Target
    spec: FeatureSpec
    name: str
    bank: Bank | None
    progress: Progress
    paired: bool

    @property
    def family(self) -> Family:
        """The family itself."""
        return family_named(self.name)

    @property
    def settings(self) -> Any:  # Any: each family has a spec of its own class
        """The family's own spec."""
        return self.spec.families[self.name]

    @property
    def prompts(self) -> tuple[str, ...]:
        """Templates of the family, the longest included."""
        return self.family.prompts(self.settings)

    def needed(self, text: str) -> tuple[str, ...]:
        """The text and, where they are wanted, its neighbours."""
        return (text, *(other for kind in self._around(text) for other in kind))

    def all_needed(self, texts: Iterable[str]) -> list[str]:
        """What texts need together, each once, sorted."""
        return sorted({one for text in texts for one in self.needed(text)})

    def blocks(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[str], Columns]]:
        """Columns of distinct, sorted texts, block by block, in their order."""
        if self.paired:
            if texts:
                yield texts, self._with_neighbours(texts)
            return
        size = self.family.block
        with self._stage(len(texts)) as step:
            for start in range(0, len(texts), size):
                block = texts[start : start + size]
                yield block, self._columns(block, step)

    def _around(self, text: str) -> tuple[tuple[str, ...], ...]:
        """Texts with other family parts, and with other given parts."""
        if not self.paired:
            return ()
        parts = {entry.stratum: entry for entry in self.spec.parts}
        return text_kind(self.spec.kind).neighbours(text, parts, self.settings.neighbours)

    def _with_neighbours(self, texts: Sequence[str]) -> Columns:
        """All texts at once, because they share neighbours; sums grow block by block."""
        around = [self._around(text) for text in texts]
        wanted = sorted({*texts, *(one for kinds in around for kind in kinds for one in kind)})
        place = {text: row for row, text in enumerate(wanted)}
        members = {
            "": np.array([[place[text]] for text in texts]),
            OTHER_LASTS: np.array([[place[one] for one in kinds[0]] for kinds in around]),
            OTHER_FIRSTS: np.array([[place[one] for one in kinds[1]] for kinds in around]),
        }
        sums: dict[str, NDArray[np.float64]] = {}
        with self._stage(len(wanted)) as step:
            size = self.family.block
            for start in range(0, len(wanted), size):
                found = self._columns(wanted[start : start + size], step)
                for name, array in found.items():
                    for suffix, places in members.items():
                        total = sums.setdefault(
                            name + suffix, np.zeros((len(texts), array.shape[1]))
                        )
                        for column in (places - start).T:
                            rows = np.flatnonzero((column >= 0) & (column < len(array)))
                            total[rows] += array[column[rows]]
        return {
            name + suffix: (sums[name + suffix] / places.shape[1]).astype(np.float32)
            for name in found
            for suffix, places in members.items()
        }

    @contextmanager
    def _stage(self, total: int) -> Iterator[Callable[[int], None]]:
        if total:
            with self.progress.stage(self.name, total) as step:
                yield step
        else:
            yield lambda _units: None

    def _columns(self, texts: Sequence[str], step: Callable[[int], None]) -> Columns:
        bank = {"bank": self.bank} if self.family.reads_bank else {}
        columns: Columns = extractor_of(self.family)(
            self.target, texts, self.settings, self.spec.batch, step, **bank
        )
        return columns

"""One family's extraction: which texts it needs, in which blocks, and the means over neighbours.

The one law: texts are encoded block by block, so that an interruption keeps what was done; a mean
adds its neighbours in a fixed order, and is taken once for all texts that share them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
Neighbours = tuple[str, ...]
_NEW_NEIGHBOURS = 2_048  # encoded at once (ours): fills passes, and a kill loses minutes


@dataclass(frozen=True, slots=True, eq=False)
class FamilyWork:
    """How to extract one family.

    Attributes:
        target: The audited checkpoint.
        spec: What to extract.
        name: The family's name; the spec holds it.
        bank: The bank that the spec names.
        progress: Draws the stage.
        others: Whether the means over a text's neighbours are wanted, in place of its own columns;
            texts then have two parts.
    """

    target: Target
    spec: FeatureSpec
    name: str
    bank: Bank | None
    progress: Progress
    others: bool

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

    def needed(self, text: str) -> Neighbours:
        """What is encoded for a text: itself, or its neighbours."""
        return tuple(one for kind in self._around(text) for one in kind) if self.others else (text,)

    def all_needed(self, texts: Iterable[str]) -> list[str]:
        """What texts need together, each once, sorted."""
        return sorted({one for text in texts for one in self.needed(text)})

    def blocks(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[str], Columns]]:
        """Columns of distinct, sorted texts, block by block, in their order."""
        if self.others:
            yield from self._means(texts)
            return
        size = self.family.block
        with self._stage(len(texts)) as step:
            for start in range(0, len(texts), size):
                block = texts[start : start + size]
                yield block, self._columns(block, step)

    def _around(self, text: str) -> tuple[Neighbours, Neighbours]:
        """Texts with other family parts, and with other given parts."""
        parts = {entry.stratum: entry for entry in self.spec.parts}
        return text_kind(self.spec.kind).neighbours(text, parts, self.settings.neighbours)

    def _means(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[str], Columns]]:
        """Means over the neighbours of texts; those with one part in common share them."""
        around = [self._around(text) for text in texts]
        blocks = self._blocks_of(around)
        means: dict[Neighbours, Columns] = {}
        with self._stage(sum(len(_distinct(groups)) for _, groups in blocks)) as step:
            start = 0
            for end, groups in blocks:
                means |= self._means_of(groups, step)
                yield texts[start:end], _side_by_side(around[start:end], means)
                start = end

    def _blocks_of(
        self, around: Sequence[tuple[Neighbours, Neighbours]]
    ) -> list[tuple[int, list[Neighbours]]]:
        """Where blocks of texts end, and the groups of neighbours that are new in each."""
        most = min(_NEW_NEIGHBOURS, self.family.block)
        blocks: list[tuple[int, list[Neighbours]]] = []
        seen: set[Neighbours] = set()
        new: list[Neighbours] = []
        for row, kinds in enumerate(around, start=1):
            new += [group for group in dict.fromkeys(kinds) if group not in seen]
            seen.update(kinds)
            if sum(map(len, new)) >= most or row == len(around):
                blocks.append((row, new))
                new = []
        return blocks

    def _means_of(
        self, groups: Sequence[Neighbours], step: Callable[[int], None]
    ) -> dict[Neighbours, Columns]:
        """The mean of every column over each of some groups of neighbours."""
        if not groups:
            return {}
        texts = _distinct(groups)
        place = {text: row for row, text in enumerate(texts)}
        columns = self._columns(texts, step)
        rows = {group: [place[one] for one in group] for group in groups}
        return {
            group: {
                name: (array[some].astype(np.float64).sum(axis=0) / len(some)).astype(np.float32)
                for name, array in columns.items()
            }
            for group, some in rows.items()
        }

    @contextmanager
    def _stage(self, total: int) -> Iterator[Callable[[int], None]]:
        if total:
            label = f"{self.name}, neighbours" if self.others else self.name
            with self.progress.stage(label, total) as step:
                yield step
        else:
            yield lambda _units: None

    def _columns(self, texts: Sequence[str], step: Callable[[int], None]) -> Columns:
        bank = {"bank": self.bank} if self.family.reads_bank else {}
        columns: Columns = extractor_of(self.family)(
            self.target, texts, self.settings, self.spec.batch, step, **bank
        )
        return columns


def _side_by_side(
    around: Sequence[tuple[Neighbours, Neighbours]], means: Mapping[Neighbours, Columns]
) -> Columns:
    """Columns of texts from the means over their neighbours of either kind."""
    return {
        name + suffix: np.stack([means[kinds[number]][name] for kinds in around])
        for number, suffix in enumerate((OTHER_LASTS, OTHER_FIRSTS))
        for name in means[around[0][number]]
    }


def _distinct(groups: Iterable[Neighbours]) -> list[str]:
    return sorted({text for group in groups for text in group})

"""Features of a job's sets: extracted together, kept encrypted, sliced by set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.machine.settings import Request
from tuni.features.extract import FeatureCache, extract, family_key
from tuni.features.family import Asked
from tuni.features.registry import families, family_named
from tuni.features.spec import FeatureSpec
from tuni.lists.sets import COSTLY_GIBBERISH, TextSets
from tuni.model.target import Target
from tuni.pictures.bank import Bank
from tuni.progress import Progress
from tuni.texts.kind import text_kind

# Sets whose texts are compared between detectors, so that every family needs all of them.
WHOLE = (
    "labelled_dev", "labelled_test", "list_search", "list_judge", "decoy_search", "control",
)  # fmt: skip
Columns = dict[str, NDArray[np.float32]]
COSTLY_DECOYS = 300  # fit decoys that also get the families of more than low effort (ours)


def feature_spec(request: Request, bank: Bank | None) -> FeatureSpec:
    """All that a job extracts, for the largest setting of its search.

    Args:
        request: What is asked.
        bank: Generic pictures, or None.

    Raises:
        PictureError: The bank holds too few distinct pictures.
    """
    table = request.features
    asked = Asked(table.model_dump(), request.compute.seed, bank)
    specs = {family.name: family.asked(asked) for family in families()}
    return FeatureSpec(
        kind=request.subjects.kind,
        parts=text_kind(request.subjects.kind).reference_parts(),
        precision=table.precision,
        batch=table.batch,
        families={name: spec for name, spec in specs.items() if spec is not None},
    )


@dataclass(frozen=True, slots=True, eq=False)
class JobFeatures:
    """Extracts features of the job's sets, and holds those already seen in memory.

    Attributes:
        target: The audited checkpoint.
        spec: What is extracted.
        sets: The job's texts.
        bank: The bank that the spec names, or None.
        cache: Features of earlier runs.
        progress: Draws the stages.
        costly: Texts of each null set that families of high effort are extracted of.
    """

    target: Target
    spec: FeatureSpec
    sets: TextSets
    bank: Bank | None
    cache: FeatureCache
    progress: Progress
    costly: int
    _tables: dict[tuple[str, str], Columns] = field(default_factory=dict, init=False)

    def table(self, name: str, families: Collection[str] | None = None) -> Columns:
        """Feature columns of one set; costly ones of long null sets hold its first rows only.

        Args:
            name: A field of `TextSets`.
            families: Families to extract; None is all of the spec.

        Returns:
            Arrays of shape ``(m, d)``, m at most the size of the set.
        """
        self.load((name,), families)
        columns: Columns = {}
        for family in self._asked(families):
            columns |= self._tables[name, family]
        return columns

    def load(self, names: Sequence[str], families: Collection[str] | None = None) -> None:
        """Extract sets together, so that name parts which they share are encoded once."""
        for neighbours, family, plan in self.plan(names, families):
            texts = [text for _, rows in plan for text in rows]
            found = self._extract(texts, family, neighbours=neighbours)
            start = 0
            for name, rows in plan:
                part = {key: array[start : start + len(rows)] for key, array in found.items()}
                start += len(rows)
                # Later plans of a set extend its columns without neighbours to all rows.
                self._tables[name, family] = self._tables.get((name, family), {}) | part

    def plan(
        self, names: Sequence[str], families: Collection[str] | None = None
    ) -> list[tuple[bool, str, list[tuple[str, tuple[str, ...]]]]]:
        """What `load` has to extract: whether with neighbours, family, and texts by set."""
        steps: list[tuple[bool, str, list[tuple[str, tuple[str, ...]]]]] = []
        for family in self._asked(families):
            missing = [name for name in names if (name, family) not in self._tables]
            plans: dict[bool, list[tuple[str, tuple[str, ...]]]] = {True: [], False: []}
            for name in missing:
                paired = family_named(family).neighbours and not name.startswith("single")
                plans[paired].append((name, self._rows(name, family)))
            if family_named(family).effort == "low" and "gibberish_fit" in missing:
                # Neighbours of thousands of random parts would cost more than all decoys do.
                plans[False].append(("gibberish_fit", self.sets.gibberish_fit))
            steps += [(paired, family, plan) for paired, plan in plans.items() if plan]
        return steps

    def cached(self, family: str, texts: Sequence[str], *, paired: bool) -> set[str]:
        """Those of some texts whose columns of a family are in the cache."""
        return set(self.cache.get(family_key(self.target, self.spec, family, paired=paired), texts))

    def _asked(self, families: Collection[str] | None) -> list[str]:
        return [name for name in self.spec.families if families is None or name in families]

    def _rows(self, name: str, family: str) -> tuple[str, ...]:
        texts: tuple[str, ...] = getattr(self.sets, name)
        effort = family_named(family).effort
        if effort == "high" and name not in WHOLE:
            return texts[: self.costly]
        if name == "gibberish_fit":
            return texts[:COSTLY_GIBBERISH]
        if name == "decoy_fit" and effort != "low":
            return texts[:COSTLY_DECOYS]
        return texts

    def _extract(
        self, texts: Sequence[str], family: str, *, neighbours: bool
    ) -> Mapping[str, NDArray[np.float32]]:
        if not texts:
            return {}
        return extract(
            self.target,
            texts,
            self.spec,
            families=(family,),
            neighbours=neighbours,
            bank=self.bank,
            cache=self.cache,
            progress=self.progress,
        ).columns

"""Features of a job's sets: extracted together, kept encrypted, sliced by set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.machine.settings import Request
from tuni.errors import PictureError
from tuni.features.extract import FeatureCache, extract, family_key
from tuni.features.families import NEIGHBOURED
from tuni.features.spec import (
    Family,
    FeatureSpec,
    GeometrySpec,
    InversionSpec,
    JacobianSpec,
    NoiseSpec,
)
from tuni.lists.sets import COSTLY_GIBBERISH, TextSets
from tuni.model.target import Target
from tuni.pictures.bank import Bank
from tuni.progress import Progress
from tuni.texts.names import all_reference_parts
from tuni.texts.text import PROMPTS_8, PROMPTS_24

# Sets whose texts are compared between detectors, so that every family needs all of them.
WHOLE = (
    "labelled_dev", "labelled_test", "list_search", "list_judge", "decoy_search", "control",
)  # fmt: skip
Columns = dict[str, NDArray[np.float32]]
BANK_RANKS = (4, 16)  # ours
COSTLY_DECOYS = 300  # fit decoys that also get the families beside hidden states (ours)


def feature_spec(request: Request, bank: Bank | None) -> FeatureSpec:
    """All that a job extracts, for the largest setting of its search.

    Args:
        request: What is asked.
        bank: Generic pictures, or None.

    Raises:
        PictureError: The bank holds too few distinct pictures.
    """
    asked, seed = request.features, request.compute.seed
    return FeatureSpec(
        parts=all_reference_parts(),
        precision=asked.precision,
        batch=asked.batch,
        noise=NoiseSpec(seed=seed) if asked.stability else None,
        jacobian=JacobianSpec(seed=seed) if asked.stability else None,
        geometry=GeometrySpec(
            few_prompts=PROMPTS_8,
            many_prompts=PROMPTS_24,
            bank_digest=bank.digest if bank else None,
            bank_ranks=_bank_ranks(bank),
        )
        if asked.geometry
        else None,
        inversion=InversionSpec(
            restarts=asked.inversion_restarts, steps=asked.inversion_steps, seed=seed
        )
        if asked.inversion
        else None,
    )


def _bank_ranks(bank: Bank | None) -> tuple[int, ...]:
    """Numbers of principal axes that the bank's pictures suffice for."""
    ranks = tuple(rank for rank in BANK_RANKS if bank is None or rank < bank.count)
    if bank is not None and not ranks:
        raise PictureError(
            f"bank.images: {bank.count} distinct pictures, at least {BANK_RANKS[0] + 1} are needed",
            "add generic pictures that show none of the subjects, or leave [bank] out",
        )
    return ranks


@dataclass(frozen=True, slots=True, eq=False)
class JobFeatures:
    """Extracts features of the job's sets, and holds those already seen in memory.

    Attributes:
        target: The audited checkpoint.
        spec: What is extracted.
        sets: The job's texts.
        bank: The bank that the spec's geometry names, or None.
        cache: Features of earlier runs.
        progress: Draws the stages.
        inverted: Texts of each null set that are inverted.
    """

    target: Target
    spec: FeatureSpec
    sets: TextSets
    bank: Bank | None
    cache: FeatureCache
    progress: Progress
    inverted: int
    _tables: dict[tuple[str, Family], Columns] = field(default_factory=dict, init=False)

    def table(self, name: str, families: Collection[Family] | None = None) -> Columns:
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

    def load(self, names: Sequence[str], families: Collection[Family] | None = None) -> None:
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
        self, names: Sequence[str], families: Collection[Family] | None = None
    ) -> list[tuple[bool, Family, list[tuple[str, tuple[str, ...]]]]]:
        """What `load` has to extract: whether with neighbours, family, and texts by set."""
        steps: list[tuple[bool, Family, list[tuple[str, tuple[str, ...]]]]] = []
        for family in self._asked(families):
            missing = [name for name in names if (name, family) not in self._tables]
            plans: dict[bool, list[tuple[str, tuple[str, ...]]]] = {True: [], False: []}
            for name in missing:
                paired = family in NEIGHBOURED and not name.startswith("single")
                plans[paired].append((name, self._rows(name, family)))
            if family == "hidden" and "gibberish_fit" in missing:
                # Neighbours of thousands of random parts would cost more than all decoys do.
                plans[False].append(("gibberish_fit", self.sets.gibberish_fit))
            steps += [(paired, family, plan) for paired, plan in plans.items() if plan]
        return steps

    def cached(self, family: Family, texts: Sequence[str], *, paired: bool) -> set[str]:
        """Those of some texts whose columns of a family are in the cache."""
        return set(self.cache.get(family_key(self.target, self.spec, family, paired=paired), texts))

    def _asked(self, families: Collection[Family] | None) -> list[Family]:
        return [name for name in self.spec.families if families is None or name in families]

    def _rows(self, name: str, family: Family) -> tuple[str, ...]:
        texts: tuple[str, ...] = getattr(self.sets, name)
        if family == "inversion" and name not in WHOLE:
            return texts[: self.inverted]
        if name == "gibberish_fit":
            return texts[:COSTLY_GIBBERISH]
        if name == "decoy_fit" and family != "hidden":
            return texts[:COSTLY_DECOYS]
        return texts

    def _extract(
        self, texts: Sequence[str], family: Family, *, neighbours: bool
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

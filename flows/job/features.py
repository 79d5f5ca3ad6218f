"""Features of a job's sets: extracted when they are asked for, kept encrypted, sliced by set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.machine.settings import Request
from tuni.features.extract import FeatureCache, extract_family, family_key
from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS, Asked
from tuni.features.registry import families, family_named, family_of
from tuni.features.spec import FeatureSpec
from tuni.features.work import FamilyWork
from tuni.judging.forms import Forms
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
Needs = Mapping[str, frozenset[str]]  # extracted columns by set; those of neighbours by their name
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


@dataclass(frozen=True, slots=True)
class Step:
    """What is extracted together, so that names which share neighbours have them encoded once.

    Attributes:
        family: Name of a family.
        others: Whether the means over neighbours, else the texts' own columns.
        texts: Texts by set.
    """

    family: str
    others: bool
    texts: Mapping[str, tuple[str, ...]]

    @property
    def every(self) -> list[str]:
        """The texts of all sets."""
        return [text for some in self.texts.values() for text in some]


@dataclass(frozen=True, slots=True, eq=False)
class JobFeatures:
    """Extracts features of the job's sets, and holds those already seen in memory.

    Attributes:
        target: The audited checkpoint.
        spec: What can be extracted.
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
    _tables: dict[tuple[str, str, bool], Columns] = field(default_factory=dict, init=False)

    def table(self, name: str) -> Columns:
        """All columns of one set that were loaded; costly ones of null sets for its first rows.

        Args:
            name: A field of `TextSets`.

        Returns:
            Arrays of shape ``(m, d)``, m at most the number of forms of the set's texts
            (`tuni.judging.forms`), one text's after the other's.
        """
        columns: Columns = {}
        for (of, _, _), some in self._tables.items():
            columns |= some if of == name else {}
        return columns

    def load(self, needs: Needs) -> None:
        """Extract what is needed and not loaded: whole families, of the sets that need them."""
        for step in self.plan(needs):
            every = step.every
            found = extract_family(self.work(step), every, self.cache) if every else {}
            start = 0
            for name, texts in step.texts.items():
                rows = slice(start, start := start + len(texts))
                part = {column: array[rows] for column, array in found.items()}
                self._tables[name, step.family, step.others] = part

    def plan(self, needs: Needs) -> list[Step]:
        """What `load` has to extract."""
        asked: dict[tuple[str, bool], dict[str, tuple[str, ...]]] = {}
        for name, columns in needs.items():
            for family, others in sources(columns):
                if (name, family, others) not in self._tables:
                    texts = self._rows(name, family, others=others)
                    asked.setdefault((family, others), {})[name] = texts
        return [
            Step(family, others, asked[family, others])
            for family in self.spec.families
            for others in (False, True)
            if (family, others) in asked
        ]

    def work(self, step: Step) -> FamilyWork:
        """How a step is extracted."""
        return FamilyWork(
            self.target, self.spec, step.family, self.bank, self.progress, step.others
        )

    def unknown(self, step: Step) -> list[str]:
        """The distinct texts of a step whose columns are not in the cache."""
        key = family_key(self.target, self.spec, step.family, others=step.others)
        texts = sorted(set(step.every))
        known = self.cache.get(key, texts)
        return [text for text in texts if text not in known]

    def _rows(self, name: str, family: str, *, others: bool) -> tuple[str, ...]:
        texts = self._texts(name, family, others=others)
        return Forms.of(text_kind(self.spec.kind), texts).texts

    def _texts(self, name: str, family: str, *, others: bool) -> tuple[str, ...]:
        texts: tuple[str, ...] = getattr(self.sets, name)
        effort = family_named(family).effort
        if effort == "high" and name not in WHOLE:
            return texts[: self.costly]
        # Neighbours of thousands of random parts would cost more than all decoys do.
        if name == "gibberish_fit" and (others or effort != "low"):
            return texts[:COSTLY_GIBBERISH]
        if name == "decoy_fit" and effort != "low":
            return texts[:COSTLY_DECOYS]
        return texts


def sources(columns: Iterable[str]) -> set[tuple[str, bool]]:
    """Families behind extracted columns, and whether means over neighbours are meant."""
    return {(family_of(name), name.endswith((OTHER_LASTS, OTHER_FIRSTS))) for name in columns}

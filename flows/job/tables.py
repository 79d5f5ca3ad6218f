"""Feature tables of a job's sets, and scores of them less what the parts of names add."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flows.job.job import Job
from tuni.detectors.fit import Nulls, fit_detector, head
from tuni.detectors.model import ArrayModel
from tuni.detectors.score import Table, score
from tuni.detectors.spec import DetectorSpec
from tuni.features.family import LESS_PARTS
from tuni.hashing import derive_seed
from tuni.judging.part_effects import PartNumbers, fit_left_out
from tuni.statistics.p_values import Floats

NULLS = ("gibberish_fit", "gibberish_scale", "decoy_fit", "decoy_scale")
_FIT = "decoy_fit"


@dataclass(frozen=True, slots=True, eq=False)
class SetTables:
    """Tables of some sets of a job.

    Attributes:
        job: Whose sets they are.
        texts: Of each set.
        tables: Extracted columns by set; those of one set may differ in their rows.
        decoys: The sets of decoys that part effects are fitted on.
    """

    job: Job
    texts: dict[str, tuple[str, ...]]
    tables: dict[str, Table]
    decoys: tuple[str, ...]
    _corrected: dict[str, dict[str, Floats]] = field(default_factory=dict, init=False)

    @classmethod
    def load(
        cls,
        job: Job,
        names: Iterable[str],
        decoys: Sequence[str],
        families: frozenset[str] | None = None,
    ) -> "SetTables":
        """Extract sets, or find them in the cache.

        Args:
            job: Whose sets.
            names: Of the sets, beside the nulls that detectors are fitted on.
            decoys: Sets of decoys that part effects are fitted on, beside the fit's own.
            families: Feature families to extract; None is all of the job's.
        """
        every = tuple(dict.fromkeys((*NULLS, *decoys, *names)))
        job.features.load(every, families)
        texts = {name: getattr(job.sets, name) for name in every}
        tables: dict[str, Table] = {name: job.features.table(name, families) for name in every}
        return cls(job, texts, tables, (_FIT, "decoy_scale", *decoys))

    def fit(self, detector: DetectorSpec) -> ArrayModel:
        """Fit a detector on the nulls, always with the same seed: what was chosen is calibrated."""
        nulls = Nulls(**{name: self._table(name, detector.corrected) for name in NULLS})
        return fit_detector(detector, nulls, derive_seed(self.job.request.compute.seed, "fit"))

    def scores(
        self, detector: DetectorSpec, model: ArrayModel, names: Sequence[str]
    ) -> dict[str, Floats]:
        """Scores of some sets by a fitted detector, decoys as if they told nothing of their parts.

        Args:
            detector: What the model was fitted from.
            model: From `fit`.
            names: Of the sets.
        """
        # A detector knows the decoys that it was fitted on: what they have in common is not
        # their parts' alone.
        unseen = [name for name in self.decoys if name != _FIT] if detector.less_parts else []
        raw = {
            name: score(model, head(self._table(name, model.corrected), model.needed))[:, None]
            for name in dict.fromkeys((*unseen, *names))
        }
        corrected = self._less(raw, unseen) if unseen else raw
        return {name: corrected[name][:, 0] for name in names}

    def _table(self, name: str, columns: Iterable[str]) -> Table:
        """A set's table with some of its columns less parts beside them."""
        return {
            **self.tables[name],
            **{column + LESS_PARTS: self._less_parts(column)[name] for column in sorted(columns)},
        }

    def _less_parts(self, column: str) -> dict[str, Floats]:
        """A column less what parts add, by set."""
        if column not in self._corrected:
            values = {name: table[column] for name, table in self.tables.items() if column in table}
            self._corrected[column] = self._less(values, self.decoys)
        return self._corrected[column]

    def _less(self, values: Mapping[str, Floats], decoys: Sequence[str]) -> dict[str, Floats]:
        """Numbers about the first texts of some sets, less what parts add, fitted on decoys."""
        among = [name for name in decoys if name in values]
        texts = {name: self.texts[name][: len(some)] for name, some in values.items()}
        every = [text for name in among for text in texts[name]]
        numbers = PartNumbers.of(self.job.texts.kind, every)
        stacked = np.concatenate([values[name] for name in among]).astype(np.float64)
        effects, left = fit_left_out(stacked, numbers.rows(every))
        ends = np.cumsum([len(values[name]) for name in among])
        return dict(zip(among, np.split(left, ends[:-1]), strict=True)) | {
            name: effects.remove(some.astype(np.float64), numbers.rows(texts[name]))
            for name, some in values.items()
            if name not in among
        }

"""Feature tables of a job's sets, and scores of them less what the parts of names add."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flows.job.features import Needs
from flows.job.job import Job
from tuni.detectors.fit import Nulls, fit_detector, fit_needs, head, joined
from tuni.detectors.model import ArrayModel
from tuni.detectors.score import Table, score
from tuni.detectors.spec import DetectorSpec
from tuni.features.family import LESS_PARTS
from tuni.hashing import derive_seed
from tuni.judging.forms import Forms
from tuni.judging.part_effects import PartNumbers, fit_left_out
from tuni.statistics.p_values import Floats
from tuni.statistics.two_way import Effects

_FIT = "decoy_fit"
NULLS = ("gibberish_fit", "gibberish_scale", "decoy_fit", "decoy_scale")


def detector_needs(
    detector: DetectorSpec, judged: Iterable[str] = (), decoys: Sequence[str] = ()
) -> Needs:
    """Which columns of which sets a detector's fit and its scores read.

    Args:
        detector: What is fitted.
        judged: Sets that it scores.
        decoys: Sets of decoys that tell what parts add, beside those of the fit. These tell it of
            columns alone: a detector knows them, so their scores would tell more than parts do.
    """
    scored = (*judged, *(decoys if detector.less_parts else ()))
    corrected = (_FIT, *decoys) if detector.corrected else ()
    read = joined(
        fit_needs(detector),
        dict.fromkeys(scored, detector.needed),
        dict.fromkeys(corrected, detector.corrected),
    )
    return {
        name: frozenset(column.removesuffix(LESS_PARTS) for column in columns)
        for name, columns in read.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class SetTables:
    """Tables of a job's sets, extracted as detectors ask for them.

    Attributes:
        job: Whose sets they are.
        decoys: Sets of decoys that part effects are fitted on, beside those of the fit.
        beside: Tables of further texts by name, and those texts; nothing is extracted of them.
    """

    job: Job
    decoys: tuple[str, ...]
    beside: dict[str, tuple[tuple[str, ...], Table]] = field(default_factory=dict)
    _effects: "dict[str, _PartEffects]" = field(default_factory=dict, init=False)

    def needs(self, detector: DetectorSpec, judged: Iterable[str]) -> Needs:
        """What a detector's fit and its scores of some sets read."""
        own = [name for name in judged if name not in self.beside]
        return detector_needs(detector, own, self._unseen)

    def load(self, detector: DetectorSpec, judged: Iterable[str]) -> None:
        """Extract what a detector needs.

        What is loaded at once is extracted together, which spares neighbours that sets share.
        """
        self.job.features.load(self.needs(detector, judged))

    def fit(self, detector: DetectorSpec) -> ArrayModel:
        """Fit a detector on the nulls, always with the same seed: what was chosen is calibrated."""
        self.load(detector, ())
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
        self.load(detector, names)
        unseen = self._unseen if detector.less_parts else ()
        raw = {
            name: score(model, head(self._table(name, model.corrected), model.needed))[:, None]
            for name in dict.fromkeys((*unseen, *names))
        }
        if unseen:
            effects = self._fitted(raw, unseen)
            raw |= {name: effects.less(name, self.asked(name).texts, raw[name]) for name in names}
        return {name: self.asked(name).largest(raw[name][:, 0]) for name in names}

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of a set."""
        texts: tuple[str, ...] = (
            self.beside[name][0] if name in self.beside else getattr(self.job.sets, name)
        )
        return texts

    def asked(self, name: str) -> Forms:
        """The forms of a set's texts, row by row of its table."""
        return Forms.of(self.job.texts.kind, self.texts(name))

    @property
    def _unseen(self) -> tuple[str, ...]:
        """Sets of decoys that tell what parts add to a score.

        A detector knows those that it was fitted on: what these have in common is not their
        parts' alone.
        """
        return ("decoy_scale", *self.decoys)

    def _extracted(self, name: str) -> Table:
        return self.beside[name][1] if name in self.beside else self.job.features.table(name)

    def _table(self, name: str, columns: Iterable[str]) -> Table:
        """A set's table with some of its columns less parts beside them."""
        table = dict(self._extracted(name))
        for column in sorted(columns):
            if column in table:
                effects = self._column_effects(column)
                table[column + LESS_PARTS] = effects.less(
                    name, self.asked(name).texts, table[column]
                )
        return table

    def _column_effects(self, column: str) -> "_PartEffects":
        """What parts add to a column, fitted once."""
        if column not in self._effects:
            told = {name: self._extracted(name)[column] for name in (_FIT, *self._unseen)}
            self._effects[column] = self._fitted(told, list(told))
        return self._effects[column]

    def _fitted(self, values: Mapping[str, Floats], decoys: Sequence[str]) -> "_PartEffects":
        """What parts add to numbers about the first texts of some sets of decoys."""
        texts = [text for name in decoys for text in self.asked(name).texts[: len(values[name])]]
        numbers = PartNumbers.of(self.job.texts.kind, texts)
        stacked = np.concatenate([values[name] for name in decoys]).astype(np.float64)
        effects, left = fit_left_out(stacked, numbers.rows(texts))
        ends = np.cumsum([len(values[name]) for name in decoys])
        split = np.split(left, ends[:-1])
        return _PartEffects(numbers, effects, dict(zip(decoys, split, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class _PartEffects:
    """What parts add to numbers, and what it leaves of those it was fitted on, by set."""

    numbers: PartNumbers
    effects: Effects
    left: Mapping[str, Floats]

    def less(self, name: str, texts: Sequence[str], values: Floats) -> Floats:
        """Numbers about the first texts of a set, less what parts add."""
        if name in self.left:
            return self.left[name]
        rows = self.numbers.rows(texts[: len(values)])
        return self.effects.remove(values.astype(np.float64), rows)

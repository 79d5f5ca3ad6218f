"""Scores less what the parts of a text add to them, so that nobody is judged by a surname (ours).

Decoys are recombined, so each of their parts stands in many of them: what decoys of a part have in
common is the part's, and what is left of a text is its own. Effects are fitted on a list's decoys
alone, never on the list, and are held in memory alone: with a dictionary of names they would tell
whose names are on it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuni.detectors.bundle import Scorer
from tuni.detectors.score import Table, score
from tuni.errors import SpecMismatch
from tuni.features.family import LESS_PARTS
from tuni.statistics.p_values import Floats
from tuni.statistics.two_way import NONE, Effects, Rows
from tuni.texts.kind import TextKind
from tuni.texts.text import canonical

# Texts that an effect on vectors and on numbers is shrunk by (ours; docs/method.md says why).
RIDGE_WIDE, RIDGE_NARROW = 10.0, 5.0
_SCORE = "score"


@dataclass(frozen=True, slots=True, eq=False)
class PartEffects:
    """What parts of texts add to columns about the texts.

    Attributes:
        kind: Of the texts; says what their parts are.
        numbers: For each place of a part, the number of each part there, by canonical form.
        columns: Effects on each column, in the order of the numbers.
    """

    kind: TextKind
    numbers: tuple[Mapping[str, int], ...]
    columns: Mapping[str, Effects]

    @classmethod
    def fit(
        cls, kind: TextKind, texts: Sequence[str], table: Table
    ) -> tuple["PartEffects", dict[str, Floats]]:
        """Fit effects on n texts of two parts.

        Args:
            kind: Of the texts.
            texts: Distinct ones, n >= 1.
            table: Columns of shape (n, d).

        Returns:
            The effects; and the columns less what parts add, under names that end in
            `LESS_PARTS`, of each text as if it had not been among them.
        """
        parts = [_parts(kind, text) for text in texts]
        numbers = tuple(
            {part: number for number, part in enumerate(sorted(set(column)))}
            for column in zip(*parts, strict=True)
        )
        rows = _rows(numbers, parts)
        effects: dict[str, Effects] = {}
        left: dict[str, Floats] = {}
        for name, values in table.items():
            floats = values.astype(np.float64)
            ridge = RIDGE_WIDE if floats.shape[1] > 1 else RIDGE_NARROW
            effects[name] = Effects.fit(floats, rows, ridge)
            left[name + LESS_PARTS] = effects[name].left_out(floats, rows)
        return cls(kind, numbers, effects), left

    def remove(self, texts: Sequence[str], table: Table) -> dict[str, Floats]:
        """Columns less what parts add, of m other texts of two parts.

        Args:
            texts: None of those that the effects were fitted on; the caller sees to it.
            table: The fitted columns, of shape (m, d).
        """
        rows = _rows(self.numbers, [_parts(self.kind, text) for text in texts])
        return {
            name + LESS_PARTS: effects.remove(table[name].astype(np.float64), rows)
            for name, effects in self.columns.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """How a detector's scores are corrected for the parts of a list's texts.

    Attributes:
        columns: Effects on columns that the detector reads; None where it reads none less parts.
        score: Effects on its score, after that; None where they stay in.
    """

    columns: PartEffects | None = None
    score: PartEffects | None = None

    @classmethod
    def fit(
        cls, scorer: Scorer, kind: TextKind, decoys: Sequence[str], table: Table
    ) -> tuple["Correction", Floats]:
        """Fit a detector's correction on decoys.

        Args:
            scorer: The detector.
            kind: Of the texts.
            decoys: n distinct texts; not of two parts where the detector corrects nothing.
            table: Their features, columns of shape (n, d).

        Returns:
            The correction, and the decoys' scores as if each had not been among them, shape (n,).
        """
        columns, corrected = None, table
        if names := scorer.model.corrected:
            columns, left = PartEffects.fit(kind, decoys, extracted(table, names))
            corrected = {**table, **left}
        scores = score(scorer.model, corrected)
        if not scorer.less_parts:
            return cls(columns), scores
        effects, left = PartEffects.fit(kind, decoys, {_SCORE: scores[:, None]})
        return cls(columns, effects), left[_SCORE + LESS_PARTS][:, 0]

    def scores(self, scorer: Scorer, texts: Sequence[str], table: Table) -> Floats:
        """Corrected scores of texts that are none of the decoys, shape (m,).

        Args:
            scorer: The detector that the correction was fitted for.
            texts: m texts.
            table: Their features, columns of shape (m, d).

        Raises:
            SpecMismatch: It was fitted for a detector that corrects something else.
        """
        if (self.score is None) == scorer.less_parts or (self.columns is None) == bool(
            scorer.model.corrected
        ):
            raise SpecMismatch(
                "detector: corrects for the parts of texts, which takes decoys of their list",
                "judge with decoys recombined from the list",
            )
        if self.columns is not None:
            table = {**table, **self.columns.remove(texts, table)}
        scores = score(scorer.model, table)
        if self.score is None:
            return scores
        return self.score.remove(texts, {_SCORE: scores[:, None]})[_SCORE + LESS_PARTS][:, 0]


def extracted(table: Table, names: Collection[str]) -> Table:
    """Some columns of a table; those that it lacks are named by whoever reads them."""
    return {name: table[name] for name in sorted(names) if name in table}


def _parts(kind: TextKind, text: str) -> tuple[str, ...]:
    """The stratum of a text, to which its parts' effects shrink, and its parts."""
    parsed = kind.parse(text)
    return (parsed.stratum, *(canonical(part) for part in parsed.parts))


def _rows(numbers: Sequence[Mapping[str, int]], parts: Sequence[Sequence[str]]) -> list[Rows]:
    """By place, the number of each text's part there; `NONE` for parts that have none."""
    return [
        np.array([known.get(text[place], NONE) for text in parts], dtype=np.int64)
        for place, known in enumerate(numbers)
    ]


UNCORRECTED = Correction()

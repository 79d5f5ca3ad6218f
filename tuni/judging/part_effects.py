"""Scores less what the parts of a text add to them, so that nobody is judged by a surname (ours).

Decoys are recombined, so each of their parts stands in many of them: what decoys of a part have in
common is the part's, and what is left of a text is its own. Effects are fitted on a list's decoys
alone, never on the list, and are held in memory alone: with a dictionary of names they would tell
whose names are on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True, eq=False)
class PartNumbers:
    """The parts of some decoys, numbered.

    Attributes:
        kind: Of the texts; says what their parts are.
        numbers: For each place of a part, the number of each part there, by canonical form.
    """

    kind: TextKind
    numbers: tuple[Mapping[str, int], ...]

    @classmethod
    def of(cls, kind: TextKind, decoys: Sequence[str]) -> "PartNumbers":
        """Number the parts of at least one text of two parts."""
        columns = zip(*(_parts(kind, text) for text in decoys), strict=True)
        return cls(
            kind,
            tuple({part: n for n, part in enumerate(sorted(set(column)))} for column in columns),
        )

    def rows(self, texts: Sequence[str]) -> list[Rows]:
        """By place, the number of each text's part there; `NONE` for parts that have none."""
        parts = [_parts(self.kind, text) for text in texts]
        return [
            np.array([known.get(text[place], NONE) for text in parts], dtype=np.int64)
            for place, known in enumerate(self.numbers)
        ]


def fit_left_out(values: Floats, rows: Sequence[Rows]) -> tuple[Effects, Floats]:
    """Effects of parts on numbers about n decoys, and the numbers less what their parts add.

    Args:
        values: Shape (n, d).
        rows: Of the decoys, from `PartNumbers.rows`.

    Returns:
        The effects; and shape (n, d), of each decoy as if it had not been among them.
    """
    effects = Effects.fit(values, rows, RIDGE_WIDE if values.shape[1] > 1 else RIDGE_NARROW)
    return effects, effects.left_out(values, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """How a detector's scores are corrected for the parts of a list's texts.

    Attributes:
        parts: Of the list's decoys; None where nothing is corrected.
        columns: Effects on the columns that the detector reads less parts.
        score: Effects on its score, after that; None where they stay in.
    """

    parts: PartNumbers | None = None
    columns: Mapping[str, Effects] = field(default_factory=dict)
    score: Effects | None = None

    @classmethod
    def fit(
        cls, scorer: Scorer, kind: TextKind, decoys: Sequence[str], table: Table
    ) -> tuple["Correction", Floats]:
        """Fit a detector's correction on decoys.

        Args:
            scorer: The detector.
            kind: Of the texts.
            decoys: n distinct texts; of two parts where the detector corrects anything.
            table: Their features, columns of shape (n, d).

        Returns:
            The correction, and the decoys' scores as if each had not been among them, shape (n,).
        """
        if not scorer.corrects:
            return UNCORRECTED, score(scorer.model, table)
        parts = PartNumbers.of(kind, decoys)
        rows, columns, corrected = parts.rows(decoys), {}, dict(table)
        for name in sorted(scorer.model.corrected & set(table)):
            columns[name], corrected[name + LESS_PARTS] = fit_left_out(
                table[name].astype(np.float64), rows
            )
        scores = score(scorer.model, corrected)
        if not scorer.less_parts:
            return cls(parts, columns), scores
        effects, left = fit_left_out(scores[:, None], rows)
        return cls(parts, columns, effects), left[:, 0]

    def scores(self, scorer: Scorer, texts: Sequence[str], table: Table) -> Floats:
        """Corrected scores of texts that are none of the decoys, shape (m,).

        Args:
            scorer: The detector that the correction was fitted for.
            texts: m texts.
            table: Their features, columns of shape (m, d).

        Raises:
            SpecMismatch: It was fitted for a detector that corrects something else.
        """
        if (
            self.columns.keys() != scorer.model.corrected
            or (self.score is not None) != scorer.less_parts
        ):
            raise SpecMismatch(
                "detector: corrects for the parts of texts, which takes decoys of their list",
                "judge with decoys recombined from the list",
            )
        if self.parts is None:
            return score(scorer.model, table)
        rows = self.parts.rows(texts)
        left = {
            name + LESS_PARTS: effects.remove(table[name].astype(np.float64), rows)
            for name, effects in self.columns.items()
        }
        scores = score(scorer.model, {**table, **left})
        return scores if self.score is None else self.score.remove(scores[:, None], rows)[:, 0]


UNCORRECTED = Correction()


def _parts(kind: TextKind, text: str) -> tuple[str, ...]:
    """The stratum of a text, to which its parts' effects shrink, and its parts."""
    parsed = kind.parse(text)
    return (parsed.stratum, *(canonical(part) for part in parsed.parts))

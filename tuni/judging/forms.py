"""The ways to write texts that a model is asked about: the largest score of a text counts.

A caption writes a number so or so, and another way is another text to the model. Decoys are asked
in the same ways, so that their largest scores are what a stranger's largest score is ranked among.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.statistics.p_values import Floats
from tuni.texts.kind import TextKind


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """The forms of some texts, one text's after the other's.

    Attributes:
        texts: All forms.
        starts: Place of each text's first form, shape (n,).
    """

    texts: tuple[str, ...]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, kind: TextKind, texts: Sequence[str]) -> "Forms":
        """The forms of n texts of a kind."""
        forms = [kind.forms(text) for text in texts]
        ends = np.cumsum([0, *(len(some) for some in forms)], dtype=np.int64)
        return cls(tuple(form for some in forms for form in some), ends[:-1])

    def largest(self, values: Floats) -> Floats:
        """The largest of each text's values; of the forms of the first m texts to (m,)."""
        starts = self.starts[: np.searchsorted(self.starts, len(values))]
        largest: Floats = np.maximum.reduceat(values, starts) if len(starts) else values
        return largest

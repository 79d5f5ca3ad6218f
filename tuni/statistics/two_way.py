"""What the parts of texts add to numbers about the texts: ridge regression on parts, NumPy alone.

A number about a text, such as a score or a coordinate of its hidden state, is fitted as a mean and
one effect for each of its parts. Effects are shrunk, so a part with few texts has a small one. A
text that the effects were fitted on is corrected as if it had not been: its residual is divided by
one less its leverage, which for a linear fit is the residual of the fit without it (the leverage is
that of balanced parts, an approximation). So texts of the fit and new texts can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.statistics.p_values import Floats

Rows = NDArray[np.int64]  # of each text the number of its part, NONE where the fit had it not
NONE = -1
SWEEPS = 30
ENOUGH = 1e-3  # change of an effect, in deviations of its column, that ends the sweeps
_WIDTH = 128  # coordinates that are fitted at once: bounds the memory beside the texts' own


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Effects of parts on d numbers about a text.

    Attributes:
        mean: Shape (d,).
        parts: For each place of a part, the effects, shape (parts, d).
        counts: Texts of the fit that hold each part, by place.
        ridge: Texts that a part's effect is shrunk by.
    """

    mean: Floats
    parts: tuple[Floats, ...]
    counts: tuple[NDArray[np.int64], ...]
    ridge: float

    @classmethod
    def fit(cls, values: Floats, rows: Sequence[Rows], ridge: float) -> "Effects":
        """Fit effects by sweeps over the places of parts, each given the others.

        Args:
            values: Numbers about n texts, shape (n, d), n >= 1.
            rows: For each place, which part stands there, shape (n,), counted from 0 without gaps.
            ridge: Above 0.
        """
        mean = values.mean(axis=0)
        counts = tuple(np.bincount(part) for part in rows)
        effects = tuple(np.zeros((len(count), len(mean))) for count in counts)
        orders = [np.argsort(part, kind="stable") for part in rows]
        for start in range(0, len(mean), _WIDTH):
            some = slice(start, start + _WIDTH)
            left = values[:, some] - mean[some]
            enough = ENOUGH * np.maximum(left.std(axis=0), np.finfo(float).tiny)
            for _ in range(SWEEPS):
                moved = False
                for part, order, count, effect in zip(rows, orders, counts, effects, strict=True):
                    before = effect[:, some]
                    left += before[part]
                    starts = np.cumsum(count) - count
                    after = np.add.reduceat(left[order], starts) / (count[:, None] + ridge)
                    left -= after[part]
                    moved |= bool((np.abs(after - before) > enough).any())
                    effect[:, some] = after
                if not moved:
                    break
        return cls(mean, effects, counts, ridge)

    def left_out(self, values: Floats, rows: Sequence[Rows]) -> Floats:
        """The fit's own texts less what their parts add, each as if the fit had been without it.

        Args:
            values: As in `fit`, shape (n, d).
            rows: As in `fit`.
        """
        leverage = np.full(len(values), 1.0 / len(values))
        for part, count in zip(rows, self.counts, strict=True):
            leverage += 1.0 / (count[part] + self.ridge)
        kept = 1.0 - np.minimum(leverage, _MOST_LEVERAGE)
        return np.asarray(self.remove(values, rows) / kept[:, None])

    def remove(self, values: Floats, rows: Sequence[Rows]) -> Floats:
        """Numbers about other texts less what their parts add; unknown parts add nothing.

        Args:
            values: Shape (m, d).
            rows: For each place, which part stands there, or `NONE`; shape (m,).
        """
        left: Floats = values - self.mean
        for part, effect in zip(rows, self.parts, strict=True):
            known = part != NONE
            left[known] -= effect[part[known]]
        return left


_MOST_LEVERAGE = 0.9  # a text that alone holds all its parts tells little about itself (ours)

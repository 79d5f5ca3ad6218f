"""The standardisation of the kinds that see columns side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from sklearn.decomposition import PCA

from tuni.detectors.kind import Arrays, Fit, Fitted, Floats

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """How columns become what a detector sees: standardised, then rotated where asked.

    Attributes:
        center: Means over the fit null, shape (d,).
        scale: Standard deviations there, shape (d,); 1 where a column is constant.
        components: Leading principal axes, shape (dims, d), or None.
    """

    center: Floats
    scale: Floats
    components: Floats | None = None

    @classmethod
    def of(cls, values: Floats, dims: int) -> "Standard":
        """Learn from rows of shape (n, d); ``dims`` 0 leaves all d."""
        center, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 1e-12 * np.maximum(np.abs(center), 1e-12), scale, 1.0)
        if not 0 < dims < values.shape[1]:
            return cls(center, scale)
        reduced = PCA(min(dims, len(values) - 1), svd_solver="full")
        reduced.fit((values - center) / scale)
        return cls(center, scale, np.ascontiguousarray(reduced.components_))

    def apply(self, values: Floats) -> Floats:
        """What the detector sees of rows of shape (n, d)."""
        standard: Floats = (values - self.center) / self.scale
        return standard if self.components is None else standard @ self.components.T

    @property
    def arrays(self) -> Arrays:
        """For the exported model."""
        rotated = {} if self.components is None else {"components": self.components}
        return {"center": self.center, "scale": self.scale, **rotated}


def fit_standardised(
    fit_library: Callable[[Floats, Mapping[str, float], int], T], export: Callable[[T], Fitted]
) -> Fit:
    """The fit of a kind that sees columns side by side: standardise, fit, export both.

    Args:
        fit_library: Fits the library's detector on standardised rows of shape (n, d), given the
            kind's numbers and a seed.
        export: Numbers and arrays of what it gave, without the standardisation.
    """

    def fit(inputs: Sequence[Floats], numbers: Mapping[str, float], seed: int) -> Fitted:
        values = np.hstack(inputs)
        standard = Standard.of(values, int(numbers["dims"]))
        params, arrays = export(fit_library(standard.apply(values), numbers, seed))
        return params, {**standard.arrays, **arrays}

    return fit

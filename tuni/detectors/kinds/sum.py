"""The sum of standardised scores of other detectors."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_only, require_positive, require_shape
from tuni.detectors.kind import DetectorKind, Floats
from tuni.detectors.kinds import length, pair_residual
from tuni.detectors.model import ArrayModel
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec


def _check(model: ArrayModel) -> None:
    require_shape(model, "means", len(model.parts))
    require_shape(model, "scales", len(model.parts))
    require_only(model, "means", "scales")
    require_positive(model, "scales")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    standard = (np.stack(inputs, axis=1) - model.arrays["means"]) / model.arrays["scales"]
    return np.asarray(standard.sum(axis=1))


def _suggest(search: Search) -> DetectorSpec | None:
    parts = []
    if search.ask.choice("sum.pair", [True, False]):
        parts.append(pair_residual.suggest(search))
    if search.less_parts and search.ask.choice("sum.length", [True, False]):
        parts.append(length.suggest(search))
    parts += [DetectorSpec("feature", (name,)) for name in search.addends()]
    if len(parts) < 2:
        return parts[0] if parts else None
    return DetectorSpec("sum", parts=tuple(parts))


KIND = DetectorKind(
    name="sum",
    words="sum",
    reads="parts",
    fits="tuni.detectors.fits.sum",
    check=_check,
    score=_score,
    suggest=_suggest,
    describe=lambda _spec, parts: " + ".join(parts),
)

"""One directed column, taken as it is."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_only, require_width
from tuni.detectors.kind import DetectorKind, Floats, Number
from tuni.detectors.model import ArrayModel, refuse
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec, refuse_spec


def _check(model: ArrayModel) -> None:
    require_only(model)
    if abs(model.params["sign"]) != 1:
        refuse(model, "sign is neither 1 nor -1")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    require_width(model, 1, inputs[0].shape[1])
    return np.asarray(model.params["sign"] * inputs[0][:, 0])


def _check_spec(spec: DetectorSpec) -> None:
    if abs(spec.numbers["sign"]) != 1:
        refuse_spec("feature.sign: got another number", "1 or -1")


def _suggest(search: Search) -> DetectorSpec:
    column = search.ask.choice("feature.column", search.directed)
    return DetectorSpec("feature", search.factored(column))


KIND = DetectorKind(
    name="feature",
    words="feature",
    reads="column",
    params={"sign": Number(1.0, -1.0, 1.0)},
    fits=None,
    model_numbers=("sign",),
    check=_check,
    score=_score,
    suggest=_suggest,
    check_spec=_check_spec,
    describe=lambda spec, _parts: spec.columns[0],
)

"""T of docs/method.md (ours): what the neighbours' hidden states do not explain of a text's own."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_only, require_positive, require_shape, require_width
from tuni.detectors.kind import DetectorKind, Floats, Number
from tuni.detectors.kinds.vectors import log_of, squared_length
from tuni.detectors.model import ArrayModel, refuse
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec
from tuni.features.families.hidden import HiddenSpec


def _check(model: ArrayModel) -> None:
    (width,) = require_shape(model, "hidden_mean", None)
    for name in ("intercept", "residual_mean"):
        require_shape(model, name, width)
    for name in ("means", "scales"):
        require_shape(model, name, 2 * width)
    require_shape(model, "weights", 2 * width, width)
    require_only(model, "hidden_mean", "intercept", "residual_mean", "means", "scales", "weights")
    require_positive(model, "scales")
    if model.params["spread"] < 0:
        refuse(model, "spread is below 0")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """T: log(|r - mean r|^2 + spread |h - mean h|^2), r = h - ridge prediction (ours)."""
    arrays, (hidden, lasts, firsts) = model.arrays, inputs
    for values in inputs:
        require_width(model, len(arrays["hidden_mean"]), values.shape[1])
    others = (np.hstack([lasts, firsts]) - arrays["means"]) / arrays["scales"]
    residual = hidden - (others @ arrays["weights"] + arrays["intercept"])
    own = squared_length(residual - arrays["residual_mean"])
    spread = model.params["spread"] * squared_length(hidden - arrays["hidden_mean"])
    return log_of(own + spread)


def suggest(search: Search) -> DetectorSpec:
    """T of a suggested layer; a sum takes it as a part."""
    ask = search.ask
    hidden = search.features.of(HiddenSpec)
    layer = ask.choice("pair.layer", hidden.layers if hidden else (0,))
    ridge = ask.number("pair.ridge", 0.05, 5.0, log=True)
    spread = ask.number("pair.spread", 0.0, 1.0)
    params = (("ridge", ridge), ("spread", spread))
    return DetectorSpec("pair_residual", (f"hidden.{layer}",), params=params)


KIND = DetectorKind(
    name="pair_residual",
    words="pair residual T",
    reads="column",
    neighbours=True,
    params={"ridge": Number(0.5, 1e-6, 1e6), "spread": Number(0.3, 0.0, 1e3)},
    fits="tuni.detectors.fits.pair_residual",
    model_numbers=("spread",),
    check=_check,
    score=_score,
    suggest=suggest,
    describe=lambda spec, _parts: f"pair residual T of {spec.columns[0]}",
)

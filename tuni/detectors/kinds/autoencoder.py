"""What a small autoencoder of the null does not reconstruct of a text (ours)."""

from collections.abc import Sequence

import numpy as np

from tuni.detectors.checks import require_shape
from tuni.detectors.kind import DetectorKind, Floats, Number
from tuni.detectors.kinds.vectors import (
    DIMS,
    check_vectors,
    log_of,
    squared_length,
    standardised,
    suggest_vectors,
)
from tuni.detectors.model import ArrayModel, refuse

MAX_LAYERS = 8


def _check(model: ArrayModel) -> None:
    layers = model.params["layers"]
    if layers != int(layers) or not 1 <= layers <= MAX_LAYERS:
        refuse(model, f"layers is not a whole number in [1, {MAX_LAYERS}]")
    names = [f"{part}_{i}" for i in range(int(layers)) for part in ("weight", "bias")]
    before = outer = check_vectors(model, *names)
    for i in range(int(layers)):
        last = i == layers - 1
        before, _ = require_shape(model, f"weight_{i}", outer if last else None, before)
        require_shape(model, f"bias_{i}", before)


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Log of the mean squared error of reconstruction; tanh between the layers."""
    values = hidden = standardised(model, inputs)
    layers = int(model.params["layers"])
    for i in range(layers):
        hidden = hidden @ model.arrays[f"weight_{i}"].T + model.arrays[f"bias_{i}"]
        if i < layers - 1:
            hidden = np.tanh(hidden)
    return log_of(squared_length(hidden - values) / values.shape[1])


KIND = DetectorKind(
    name="autoencoder",
    words="autoencoder",
    reads="columns",
    params={
        "width": Number(64.0, 1.0, 1_024.0),
        "bottleneck": Number(8.0, 1.0, 512.0),
        "epochs": Number(200.0, 1.0, 5_000.0),
        "learning_rate": Number(0.01, 1e-5, 1.0),
        "dims": DIMS,
    },
    fits="tuni.detectors.fits.autoencoder",
    model_numbers=("layers",),
    check=_check,
    score=_score,
    suggest=suggest_vectors(
        "autoencoder",
        lambda ask, _wide, _dims: {
            "bottleneck": float(ask.whole("autoencoder.bottleneck", 2, 32, log=True))
        },
    ),
)

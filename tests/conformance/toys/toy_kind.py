"""A kind of detector of another package: how far a text lies from the median of the null."""

from collections.abc import Sequence

from tuni.detectors.checks import require_positive, require_shape
from tuni.detectors.kind import DetectorKind, Floats, Number
from tuni.detectors.kinds.vectors import check_vectors, log_of, standardised, suggest_vectors
from tuni.detectors.model import ArrayModel


def _check(model: ArrayModel) -> None:
    width = check_vectors(model, "median", "spread")
    require_shape(model, "median", width)
    require_shape(model, "spread", width)
    require_positive(model, "spread")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    away = abs(standardised(model, inputs) - model.arrays["median"]) / model.arrays["spread"]
    return log_of(away.mean(axis=1))


KIND = DetectorKind(
    name="toy_median",
    words="distance from the median",
    reads="columns",
    params={"quantile": Number(0.5, 0.1, 0.9), "dims": Number(0.0, 0.0, 4_096.0)},
    fits="toy_kind_fit",
    check=_check,
    score=_score,
    suggest=suggest_vectors(
        "toy_median",
        lambda ask, _wide, _dims: {"quantile": ask.number("toy_median.quantile", 0.3, 0.7)},
    ),
)

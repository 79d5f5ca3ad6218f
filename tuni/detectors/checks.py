"""Checks of a model's arrays, of which kinds build theirs."""

from tuni.detectors.model import ArrayModel, refuse
from tuni.errors import SpecMismatch

MAX_WIDTH = 16_384  # of an axis that nothing else bounds (ours)


def require_shape(model: ArrayModel, name: str, *expected: int | None) -> tuple[int, ...]:
    """Shape of an array, checked; None stands for any size in [1, MAX_WIDTH].

    Raises:
        BundleError: The array is missing or of another shape.
    """
    if name not in model.arrays:
        refuse(model, f"array {name!r} is missing")
    shape = model.arrays[name].shape
    fits = len(shape) == len(expected) and all(
        1 <= have <= MAX_WIDTH if want is None else have == want
        for have, want in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("n" if want is None else str(want) for want in expected)
        refuse(model, f"array {name!r} has shape {shape}, expected ({wanted})")
    return shape


def require_only(model: ArrayModel, *names: str) -> None:
    """Refuse a model with other arrays than these.

    Raises:
        BundleError: There are such.
    """
    unknown = set(model.arrays) - set(names)
    if unknown:
        refuse(model, f"{len(unknown)} arrays too many")


def require_positive(model: ArrayModel, name: str) -> None:
    """Refuse a model of which one array is not above 0.

    Raises:
        BundleError: A value is 0 or below.
    """
    if not (model.arrays[name] > 0).all():
        refuse(model, f"array {name!r} must be above 0")


def require_width(model: ArrayModel, width: int, came: int) -> None:
    """Refuse features of another width than the model was fitted on.

    Raises:
        SpecMismatch: The widths differ.
    """
    if came != width:
        raise SpecMismatch(
            f"detector {model.kind}: features have width {came}, expected {width}",
            "score with the checkpoint and the feature spec that the bundle was made for",
        )

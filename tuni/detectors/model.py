"""A fitted detector as plain arrays, and the check that makes one safe to score.

The one law: a model that passes `check_model` can neither crash the process, nor loop without
end, nor read outside an array, whoever wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.kind import Arrays, DetectorKind
from tuni.detectors.registry import kind_named
from tuni.errors import BundleError, RequestError
from tuni.features.family import LESS_PARTS, OTHER_FIRSTS, OTHER_LASTS

# Bounds of what is believed (ours): far above what fits, far below what hurts.
MAX_COLUMNS = 64
MAX_DEPTH = 4
MAX_PARTS = 64

GUARD = ("guard_norm", "guard_cap")


@dataclass(frozen=True, slots=True, eq=False)
class ArrayModel:
    """A detector without its library.

    Attributes:
        kind: Name of a kind of `tuni.detectors.registry`.
        columns: Columns of a feature table that it reads, in this order: ``base``,
            ``base~factor`` or ``base.less_parts``.
        params: Numbers that scoring needs, and for a guarded model ``guard_norm`` and
            ``guard_cap``: the score of a text whose ``hidden.norm`` is below the first is at
            most the second (ours).
        arrays: Float64 arrays, where the kind says so int32; read-only once the model is built.
        parts: The joined models of a kind that reads parts.
    """

    kind: str
    columns: tuple[str, ...] = ()
    params: Mapping[str, float] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    parts: tuple["ArrayModel", ...] = ()

    def __post_init__(self) -> None:
        """Freeze what a caller might still hold."""
        arrays = {name: read_only(array) for name, array in self.arrays.items()}
        object.__setattr__(self, "arrays", MappingProxyType(arrays))
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

    @property
    def needed(self) -> frozenset[str]:
        """Names of all table columns that a score reads, neighbours' and guard's included."""
        return needed_columns(self.kind, self.columns, self.parts, guarded=GUARD[0] in self.params)

    @property
    def corrected(self) -> frozenset[str]:
        """Names of the extracted columns of which it reads what the texts' parts leave."""
        return corrected_columns(self.needed)


def needed_columns(
    kind: str, columns: tuple[str, ...], parts: tuple[Any, ...], *, guarded: bool
) -> frozenset[str]:
    """Table columns behind the columns and parts of a model or spec."""
    names = {name for part in parts for name in part.needed}
    for name in columns:
        names |= base_columns(name, kind_named(kind).neighbours)
    return frozenset(names | ({"hidden.norm"} if guarded else set()))


def corrected_columns(needed: frozenset[str]) -> frozenset[str]:
    """Extracted columns behind those of some names that end in `LESS_PARTS`."""
    ends = tuple(name for name in needed if name.endswith(LESS_PARTS))
    return frozenset(name.removesuffix(LESS_PARTS) for name in ends)


def base_columns(name: str, pairs: bool = False) -> set[str]:
    """Table columns behind one name of a model: ``base`` or ``base~0.375``.

    Args:
        name: As in `ArrayModel.columns`.
        pairs: Whether the neighbours' columns are read besides.
    """
    base, tilde, _ = name.partition("~")
    if not (tilde or pairs):
        return {base}
    return {base, base + OTHER_LASTS, base + OTHER_FIRSTS}


def read_only(array: NDArray[Any]) -> NDArray[Any]:  # Any: both types of array
    """The array behind a view that cannot be written through; nothing is copied."""
    view = array.view()
    view.flags.writeable = False
    return view


def check_model(model: ArrayModel) -> None:
    """Refuse a model that could not be scored safely.

    Raises:
        BundleError: An unknown kind, a missing or unknown array or number, a wrong type or
            shape, a value that is not finite, an index out of bounds, a tree that is none, or
            a size beyond the bounds of this module.
    """
    if _check(model, depth=1) > MAX_PARTS:
        refuse(model, f"more than {MAX_PARTS} parts")


def _check(model: ArrayModel, depth: int) -> int:
    """Check one node and what hangs below it; gives back how many nodes that was."""
    try:
        kind = kind_named(model.kind)
    except RequestError as error:
        raise BundleError(error.problem, error.fix) from error
    if depth > MAX_DEPTH:
        refuse(model, f"parts nested deeper than {MAX_DEPTH}")
    if not all(_is_number(value) for value in model.params.values()):
        refuse(model, "a number is missing, absurdly large or not finite")
    if (GUARD[0] in model.params) != (GUARD[1] in model.params):
        refuse(model, "half a guard")
    if set(model.params) - set(GUARD) != set(kind.model_numbers):
        refuse(model, f"numbers are not {', '.join(kind.model_numbers) or 'none'}")
    _check_inputs(model, kind)
    for name, array in model.arrays.items():
        whole = name in kind.whole
        if array.dtype != (np.int32 if whole else np.float64):
            refuse(model, f"array {name!r} has type {array.dtype}")
        if not whole and not np.isfinite(array).all():
            refuse(model, f"array {name!r} is not finite")
    kind.check(model)
    return 1 + sum(_check(part, depth + 1) for part in model.parts)


def _check_inputs(model: ArrayModel, kind: DetectorKind) -> None:
    joins = kind.reads == "parts"
    if joins != bool(model.parts) or joins == bool(model.columns):
        refuse(model, "it needs parts" if joins else "it needs columns")
    if len(model.columns) > (1 if kind.reads == "column" else MAX_COLUMNS):
        refuse(model, "too many columns")
    if len(model.parts) > MAX_PARTS:
        refuse(model, f"more than {MAX_PARTS} parts")
    for name in model.columns:
        base, tilde, factor = name.partition("~")
        try:
            usable = not tilde or (np.isfinite(float(factor)) and not kind.neighbours)
        except ValueError:
            usable = False
        if base.endswith(LESS_PARTS):  # neighbours have no effects of their own
            usable = not tilde and not kind.neighbours
        if not usable or not 0 < len(name) <= 100:
            refuse(model, "a column is neither 'base', 'base.less_parts' nor 'base~factor'")


def refuse(model: ArrayModel, problem: str) -> NoReturn:
    """Refuse a model for one reason.

    Raises:
        BundleError: Always.
    """
    raise BundleError(f"detector {model.kind}: {problem}", "fetch or register the bundle again")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300  # not-a-number compares false

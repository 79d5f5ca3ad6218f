"""A fitted detector as plain arrays, and the check that makes one safe to score.

The one law: a model that passes `check_model` can neither crash the process, nor loop without
end, nor read outside an array, whoever wrote it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tuni.errors import BundleError

# Bounds of what is believed (ours): far above what fits, far below what hurts.
MAX_COLUMNS = 64
MAX_DEPTH = 4
MAX_LAYERS = 8
MAX_PARTS = 64
MAX_POINTS = 100_000
MAX_TREES = 2_000
MAX_TREE_DEPTH = 64
MAX_TREE_NODES = 4_000_000
MAX_WIDTH = 16_384

GUARD = ("guard_norm", "guard_cap")

Arrays = Mapping[str, NDArray[Any]]  # Any: float64, and int32 for the trees


@dataclass(frozen=True, slots=True, eq=False)
class ArrayModel:
    """A detector without its library.

    Attributes:
        kind: One of the kinds of `tuni.detectors.fit.DetectorSpec`.
        columns: Columns of a feature table that it reads, in this order.
        params: Numbers that scoring needs, and for a guarded model ``guard_norm`` and
            ``guard_cap``: the score of a text whose ``hidden.norm`` is below the first is at
            most the second (ours).
        arrays: Float64 arrays, for trees also int32; read-only once the model is built.
        parts: The joined models of a sum or a vote.
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
        names = {name for part in self.parts for name in part.needed}
        for name in self.columns:
            names |= base_columns(name, self.kind == "pair_residual")
        if GUARD[0] in self.params:
            names.add("hidden.norm")
        return frozenset(names)


def base_columns(name: str, pairs: bool = False) -> set[str]:
    """Table columns behind one name of a model: ``base`` or ``base~0.375``.

    Args:
        name: As in `ArrayModel.columns`.
        pairs: Whether the neighbours' columns are read besides.
    """
    base, tilde, _ = name.partition("~")
    if not (tilde or pairs):
        return {base}
    return {base, f"{base}.other_lasts", f"{base}.other_firsts"}


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
        _refuse(model.kind, f"more than {MAX_PARTS} parts")


def _check(model: ArrayModel, depth: int) -> int:
    """Check one node and what hangs below it; gives back how many nodes that was."""
    kind = model.kind
    rule = RULES.get(kind)
    if rule is None:
        raise BundleError(
            f"detector kind: got {kind[:40]!r}, expected one of {', '.join(sorted(RULES))}",
            "use the version of tuni that wrote the bundle",
        )
    if depth > MAX_DEPTH:
        _refuse(kind, f"parts nested deeper than {MAX_DEPTH}")
    if not all(_is_number(value) for value in model.params.values()):
        _refuse(kind, "a number is missing, absurdly large or not finite")
    if (GUARD[0] in model.params) != (GUARD[1] in model.params):
        _refuse(kind, "half a guard")
    if set(model.params) - set(GUARD) != set(rule.params):
        _refuse(kind, f"numbers are not {', '.join(rule.params) or 'none'}")
    for name in model.columns:
        _check_column(kind, name)
    for name, array in model.arrays.items():
        whole = name in ("feature", "left", "right", "roots")
        if array.dtype != (np.int32 if whole else np.float64):
            _refuse(kind, f"array {name!r} has type {array.dtype}")
        if not whole and not np.isfinite(array).all():
            _refuse(kind, f"array {name!r} is not finite")
    joins = kind in ("sum", "vote")
    if joins != bool(model.parts) or joins == bool(model.columns):
        _refuse(kind, "a sum or vote has parts, every other kind has columns")
    if not joins and (len(model.columns) > MAX_COLUMNS or (rule.single and len(model.columns) > 1)):
        _refuse(kind, "too many columns")
    rule.check(model)
    if len(model.parts) > MAX_PARTS:
        _refuse(kind, f"more than {MAX_PARTS} parts")
    return 1 + sum(_check(part, depth + 1) for part in model.parts)


def _refuse(kind: str, problem: str) -> NoReturn:
    raise BundleError(f"detector {kind}: {problem}", "fetch or register the bundle again")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300  # not-a-number compares false


def _check_column(kind: str, name: str) -> None:
    _, tilde, factor = name.partition("~")
    try:
        usable = not tilde or (np.isfinite(float(factor)) and kind != "pair_residual")
    except ValueError:
        usable = False
    if not usable or not 0 < len(name) <= 100:
        _refuse(kind, "a column is neither 'base' nor 'base~factor'")


def _shape(model: ArrayModel, name: str, *expected: int | None) -> tuple[int, ...]:
    """Shape of an array, checked; None stands for any size in [1, MAX_WIDTH]."""
    if name not in model.arrays:
        _refuse(model.kind, f"array {name!r} is missing")
    shape = model.arrays[name].shape
    fits = len(shape) == len(expected) and all(
        1 <= have <= MAX_WIDTH if want is None else have == want
        for have, want in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("n" if want is None else str(want) for want in expected)
        _refuse(model.kind, f"array {name!r} has shape {shape}, expected ({wanted})")
    return shape


def _only(model: ArrayModel, *names: str) -> None:
    unknown = set(model.arrays) - set(names)
    if unknown:
        _refuse(model.kind, f"{len(unknown)} arrays too many")


def _positive(model: ArrayModel, name: str) -> None:
    if not (model.arrays[name] > 0).all():
        _refuse(model.kind, f"array {name!r} must be above 0")


def _check_feature(model: ArrayModel) -> None:
    _only(model)
    if abs(model.params["sign"]) != 1:
        _refuse(model.kind, "sign is neither 1 nor -1")


def _check_pair_residual(model: ArrayModel) -> None:
    (width,) = _shape(model, "hidden_mean", None)
    for name in ("intercept", "residual_mean"):
        _shape(model, name, width)
    for name in ("means", "scales"):
        _shape(model, name, 2 * width)
    _shape(model, "weights", 2 * width, width)
    _only(model, "hidden_mean", "intercept", "residual_mean", "means", "scales", "weights")
    _positive(model, "scales")
    if model.params["spread"] < 0:
        _refuse(model.kind, "spread is below 0")


def _check_sum(model: ArrayModel) -> None:
    _shape(model, "means", len(model.parts))
    _shape(model, "scales", len(model.parts))
    _only(model, "means", "scales")
    _positive(model, "scales")


def _check_vote(model: ArrayModel) -> None:
    _shape(model, "thresholds", len(model.parts))
    _only(model, "thresholds")
    if not 1 <= model.params["needed"] <= len(model.parts):
        _refuse(model.kind, "needs fewer than 1 or more than all votes")
    if not 0 < model.params["alpha"] < 1:
        _refuse(model.kind, "alpha is outside (0, 1)")


def _vector(model: ArrayModel, *names: str) -> int:
    """Check the standardisation; gives back the width of what the detector proper sees."""
    (width,) = _shape(model, "center", None)
    _shape(model, "scale", width)
    _only(model, "center", "scale", "components", *names)
    _positive(model, "scale")
    if "components" in model.arrays:
        return _shape(model, "components", None, width)[0]
    return width


def _points(model: ArrayModel, width: int) -> int:
    """Check the kept points of the fit null; gives back their number."""
    if "points" not in model.arrays or model.arrays["points"].ndim != 2:
        _refuse(model.kind, "array 'points' is missing or not two-dimensional")
    count = len(model.arrays["points"])
    _shape(model, "points", count, width)
    if not 1 <= count <= MAX_POINTS:
        _refuse(model.kind, f"fewer than 1 or more than {MAX_POINTS} points")
    return count


def _check_neighbours(model: ArrayModel, count: int) -> None:
    wanted = model.params["neighbours"]
    if wanted != int(wanted) or not 1 <= wanted <= min(count, 1_000):
        _refuse(model.kind, "neighbours is not a whole number in [1, points]")


def _check_lof(model: ArrayModel) -> None:
    count = _points(model, _vector(model, "points", "reach", "density"))
    _shape_of_points(model, "reach", count)
    _shape_of_points(model, "density", count)
    _check_neighbours(model, count)
    _positive(model, "density")
    if (model.arrays["reach"] < 0).any():
        _refuse(model.kind, "array 'reach' is below 0")


def _shape_of_points(model: ArrayModel, name: str, count: int) -> None:
    if name not in model.arrays:
        _refuse(model.kind, f"array {name!r} is missing")
    _shape(model, name, count)


def _check_knn(model: ArrayModel) -> None:
    _check_neighbours(model, _points(model, _vector(model, "points")))


def _check_ocsvm(model: ArrayModel) -> None:
    count = _points(model, _vector(model, "points", "coefficients"))
    _shape_of_points(model, "coefficients", count)
    if not model.params["gamma"] > 0:
        _refuse(model.kind, "gamma is not above 0")


def _check_mahalanobis(model: ArrayModel) -> None:
    width = _vector(model, "location", "precision")
    _shape(model, "location", width)
    _shape(model, "precision", width, width)


def _check_autoencoder(model: ArrayModel) -> None:
    layers = model.params["layers"]
    if layers != int(layers) or not 1 <= layers <= MAX_LAYERS:
        _refuse(model.kind, f"layers is not a whole number in [1, {MAX_LAYERS}]")
    names = [f"{part}_{i}" for i in range(int(layers)) for part in ("weight", "bias")]
    before = outer = _vector(model, *names)
    for i in range(int(layers)):
        last = i == layers - 1
        before, _ = _shape(model, f"weight_{i}", outer if last else None, before)
        _shape(model, f"bias_{i}", before)


def _check_isolation_forest(model: ArrayModel) -> None:
    names = ("feature", "threshold", "left", "right", "length", "roots")
    width = _vector(model, *names)
    for name in names:
        if name not in model.arrays or model.arrays[name].ndim != 1:
            _refuse(model.kind, f"array {name!r} is missing or not one-dimensional")
    count = len(model.arrays["feature"])
    for name in ("threshold", "left", "right", "length"):
        _shape(model, name, count)
    if not 1 <= count <= MAX_TREE_NODES or not 1 <= len(model.arrays["roots"]) <= MAX_TREES:
        _refuse(model.kind, "no tree, or more than the bounds allow")
    if not model.params["normaliser"] > 0:
        _refuse(model.kind, "normaliser is not above 0")
    feature = model.arrays["feature"]
    if feature.min() < 0 or feature.max() >= width:
        _refuse(model.kind, "a feature index is out of bounds")
    _check_trees(model)


def _check_trees(model: ArrayModel) -> None:
    """Leaves point to themselves, all others forward; every node has at most one parent."""
    left, right, roots = (model.arrays[name] for name in ("left", "right", "roots"))
    here = np.arange(len(left), dtype=np.int32)
    leaf = left == here
    if (leaf != (right == here)).any():
        _refuse(model.kind, "a tree node is half a leaf")
    children = np.concatenate([left[~leaf], right[~leaf]])
    parents = np.concatenate([here[~leaf], here[~leaf]])
    if (children <= parents).any() or (children >= len(left)).any():
        _refuse(model.kind, "a tree's child index is out of bounds or leads back")
    if roots.min() < 0 or roots.max() >= len(left):
        _refuse(model.kind, "a tree's root is out of bounds")
    if np.bincount(np.concatenate([children, roots])).max() > 1:
        _refuse(model.kind, "a tree node has two parents")
    depth, front = 0, roots[~leaf[roots]]
    while len(front) and depth < MAX_TREE_DEPTH:
        depth += 1
        front = np.concatenate([left[front], right[front]])
        front = front[~leaf[front]]
    if len(front) or depth != model.params["depth"]:
        _refuse(model.kind, f"depth is not that of the trees, or above {MAX_TREE_DEPTH}")


@dataclass(frozen=True, slots=True)
class _Rule:
    check: Callable[[ArrayModel], None]
    params: tuple[str, ...] = ()
    single: bool = False


RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "feature": _Rule(_check_feature, ("sign",), single=True),
        "pair_residual": _Rule(_check_pair_residual, ("spread",), single=True),
        "sum": _Rule(_check_sum),
        "vote": _Rule(_check_vote, ("alpha", "needed")),
        "isolation_forest": _Rule(_check_isolation_forest, ("normaliser", "depth")),
        "lof": _Rule(_check_lof, ("neighbours",)),
        "ocsvm": _Rule(_check_ocsvm, ("gamma", "offset")),
        "mahalanobis": _Rule(_check_mahalanobis),
        "knn": _Rule(_check_knn, ("neighbours",)),
        "autoencoder": _Rule(_check_autoencoder, ("layers",)),
    }
)

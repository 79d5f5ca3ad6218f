"""Isolation forest: how early random cuts part a text from the null."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.checks import require_shape
from tuni.detectors.kind import DetectorKind, Floats, Number, Voter
from tuni.detectors.kinds.vectors import DIMS, check_vectors, standardised, suggest_vectors
from tuni.detectors.model import ArrayModel, refuse

MAX_TREES = 2_000
MAX_TREE_DEPTH = 64
MAX_TREE_NODES = 4_000_000


def _check(model: ArrayModel) -> None:
    names = ("feature", "threshold", "left", "right", "length", "roots")
    width = check_vectors(model, *names)
    for name in names:
        if name not in model.arrays or model.arrays[name].ndim != 1:
            refuse(model, f"array {name!r} is missing or not one-dimensional")
    count = len(model.arrays["feature"])
    for name in ("threshold", "left", "right", "length"):
        require_shape(model, name, count)
    if not 1 <= count <= MAX_TREE_NODES or not 1 <= len(model.arrays["roots"]) <= MAX_TREES:
        refuse(model, "no tree, or more than the bounds allow")
    if not model.params["normaliser"] > 0:
        refuse(model, "normaliser is not above 0")
    feature = model.arrays["feature"]
    if feature.min() < 0 or feature.max() >= width:
        refuse(model, "a feature index is out of bounds")
    _check_trees(model)


def _check_trees(model: ArrayModel) -> None:
    """Leaves point to themselves, all others forward; every node has at most one parent."""
    left, right, roots = (model.arrays[name] for name in ("left", "right", "roots"))
    here = np.arange(len(left), dtype=np.int32)
    leaf = left == here
    if (leaf != (right == here)).any():
        refuse(model, "a tree node is half a leaf")
    children = np.concatenate([left[~leaf], right[~leaf]])
    parents = np.concatenate([here[~leaf], here[~leaf]])
    if (children <= parents).any() or (children >= len(left)).any():
        refuse(model, "a tree's child index is out of bounds or leads back")
    if roots.min() < 0 or roots.max() >= len(left):
        refuse(model, "a tree's root is out of bounds")
    if np.bincount(np.concatenate([children, roots])).max() > 1:
        refuse(model, "a tree node has two parents")
    depth, front = 0, roots[~leaf[roots]]
    while len(front) and depth < MAX_TREE_DEPTH:
        depth += 1
        front = np.concatenate([left[front], right[front]])
        front = front[~leaf[front]]
    if len(front) or depth != model.params["depth"]:
        refuse(model, f"depth is not that of the trees, or above {MAX_TREE_DEPTH}")


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """2^(-mean path length / normaliser), Liu et al. 2008."""
    # scikit-learn grows its trees on float32 and compares in float64; rounding the thresholds
    # down to float32 decides every comparison alike, at half the memory
    with np.errstate(over="ignore"):
        values = standardised(model, inputs).astype(np.float32)
        threshold = _round_down(model.arrays["threshold"])
    # A node stands for its two children, so that a comparison's result only has to be added to it.
    feature = model.arrays["feature"].astype(np.intp).repeat(2)
    threshold, length = threshold.repeat(2), model.arrays["length"].repeat(2)
    children = np.stack([model.arrays["left"], model.arrays["right"]], axis=1).ravel()
    children = 2 * children.astype(np.intp)
    count, flat = len(values), values.ravel()
    rows = np.arange(count) * values.shape[1]
    node, following, place = (np.empty(count, dtype=np.intp) for _ in range(3))
    value, bound = (np.empty(count, dtype=np.float32) for _ in range(2))
    right, lengths = np.empty(count, dtype=np.bool_), np.zeros(count)
    for root in model.arrays["roots"]:
        node.fill(2 * root)
        for _ in range(int(model.params["depth"])):  # a leaf leads to itself
            # All places were checked with the model; "clip" spares NumPy a copy for its own check.
            feature.take(node, out=place, mode="clip")
            place += rows
            flat.take(place, out=value, mode="clip")
            threshold.take(node, out=bound, mode="clip")
            node += np.greater(value, bound, out=right)
            children.take(node, out=following, mode="clip")
            node, following = following, node
        lengths += length.take(node)
    scores = np.exp2(-lengths / model.params["normaliser"])
    return np.where(np.isfinite(values).all(axis=1), scores, np.nan)


def _round_down(values: Floats) -> NDArray[np.float32]:
    near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > values, below, near)


KIND = DetectorKind(
    name="isolation_forest",
    words="isolation forest",
    reads="columns",
    params={
        "trees": Number(100.0, 1.0, 1_000.0),
        "samples": Number(256.0, 8.0, 4_096.0),
        "dims": DIMS,
    },
    fits="tuni.detectors.fits.isolation_forest",
    model_numbers=("normaliser", "depth"),
    whole=frozenset({"feature", "left", "right", "roots"}),
    check=_check,
    score=_score,
    suggest=suggest_vectors(
        "isolation_forest",
        lambda ask, _wide, _dims: {"trees": float(ask.choice("forest.trees", [100, 200]))},
    ),
    voter=Voter(0),
)

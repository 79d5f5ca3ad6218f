"""Trees of the null, by scikit-learn's isolation forest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats


def fit_library(seen: Floats, numbers: Mapping[str, float], seed: int) -> IsolationForest:
    """The library's own, on standardised rows of shape (n, d)."""
    samples = min(int(numbers["samples"]), len(seen))
    return IsolationForest(
        n_estimators=int(numbers["trees"]), max_samples=samples, random_state=seed
    ).fit(seen)


def export(forest: IsolationForest) -> Fitted:
    """Trees end to end; a leaf leads to itself and holds its path length, less one."""
    trees: dict[str, list[NDArray[Any]]] = {}  # Any: two types
    start, roots = 0, []
    for number, estimator in enumerate(forest.estimators_):
        tree, columns = estimator.tree_, forest.estimators_features_[number]
        here = np.arange(tree.node_count) + start
        leaf = tree.children_left < 0
        depth = forest._decision_path_lengths[number] + forest._average_path_length_per_tree[number]
        node = {
            "feature": np.where(leaf, 0, columns[np.maximum(tree.feature, 0)]).astype(np.int32),
            "threshold": np.where(leaf, 0.0, tree.threshold),
            "left": np.where(leaf, here, tree.children_left + start).astype(np.int32),
            "right": np.where(leaf, here, tree.children_right + start).astype(np.int32),
            "length": np.where(leaf, depth - 1.0, 0.0),
        }
        for name, values in node.items():
            trees.setdefault(name, []).append(values)
        roots.append(start)
        start += tree.node_count
    arrays = {name: np.concatenate(values) for name, values in trees.items()}
    arrays["roots"] = np.array(roots, dtype=np.int32)
    depth = max(estimator.tree_.max_depth for estimator in forest.estimators_)
    normaliser = len(roots) * average_path_length(int(forest._max_samples))
    return {"normaliser": normaliser, "depth": float(depth)}, arrays


def average_path_length(samples: int) -> float:
    """c(n) of Liu et al. 2008: mean path length of a failed search among ``samples`` >= 2."""
    if samples == 2:
        return 1.0
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)


fit = fit_standardised(fit_library, export)

"""Fits of single detectors with scikit-learn and torch, and their export as plain arrays.

The one law: the exported arrays score as the library does (1e-9, autoencoder 1e-6, relative to
the scores' scale); tests/tuni/test_detectors.py holds each kind to it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import MinCovDet, ShrunkCovariance
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from tuni.detectors.score import Floats
from tuni.errors import RequestError, TooFewTexts, UnusableScores

Exported = dict[str, NDArray[Any]]  # Any: float64, and int32 for the trees


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """How columns become what a detector sees: standardised, then rotated where asked.

    Attributes:
        center: Means over the fit null, shape (d,).
        scale: Standard deviations there, shape (d,); 1 where a column is constant.
        components: Leading principal axes, shape (dims, d), or None.
    """

    center: Floats
    scale: Floats
    components: Floats | None = None

    @classmethod
    def of(cls, values: Floats, dims: int) -> "Standard":
        """Learn from rows of shape (n, d); ``dims`` 0 leaves all d."""
        center, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 1e-12 * np.maximum(np.abs(center), 1e-12), scale, 1.0)
        if not 0 < dims < values.shape[1]:
            return cls(center, scale)
        reduced = PCA(min(dims, len(values) - 1), svd_solver="full")
        reduced.fit((values - center) / scale)
        return cls(center, scale, np.ascontiguousarray(reduced.components_))

    def apply(self, values: Floats) -> Floats:
        """What the detector sees of rows of shape (n, d)."""
        standard: Floats = (values - self.center) / self.scale
        return standard if self.components is None else standard @ self.components.T

    @property
    def arrays(self) -> Exported:
        """For the exported model."""
        rotated = {} if self.components is None else {"components": self.components}
        return {"center": self.center, "scale": self.scale, **rotated}


def fit_pair_residual(hidden: Floats, lasts: Floats, firsts: Floats, ridge: float) -> Exported:
    """T of docs/method.md in closed form (ours).

    Args:
        hidden: h of the fit decoys, shape (n, d).
        lasts: A, mean h with other last names, shape (n, d).
        firsts: B, mean h with other first names, shape (n, d).
        ridge: Penalty of the regression of h on standardised [A, B], in units of n.

    Returns:
        Arrays of a ``pair_residual`` model.

    Raises:
        UnusableScores: A value is not finite.
    """
    others = np.hstack([lasts, firsts])
    _require_finite(hidden, others)
    standard = Standard.of(others, 0)
    seen, mean = standard.apply(others), hidden.mean(axis=0)
    count, width = seen.shape
    penalty = ridge * count
    if width <= count:
        gram = seen.T @ seen + penalty * np.eye(width)
        weights = np.linalg.solve(gram, seen.T @ (hidden - mean))
    else:  # the same solution, by the smaller system
        gram = seen @ seen.T + penalty * np.eye(count)
        weights = seen.T @ np.linalg.solve(gram, hidden - mean)
    return {
        "means": standard.center,
        "scales": standard.scale,
        "weights": weights,
        "intercept": mean,
        "residual_mean": (hidden - seen @ weights - mean).mean(axis=0),
        "hidden_mean": mean,
    }


def fit_vectors(
    kind: str, values: Floats, numbers: Mapping[str, float], seed: int
) -> tuple[dict[str, float], Exported]:
    """Fit one detector on feature vectors and export it.

    Args:
        kind: A kind of `tuni.detectors.fit.PARAMS` that reads vectors.
        values: The fit null, shape (n, d).
        numbers: All numbers of the kind.
        seed: Of the kinds that draw.

    Returns:
        Numbers and arrays of the exported model.

    Raises:
        UnusableScores: A value is not finite.
        TooFewTexts: A robust covariance was asked for in as many dimensions as texts.
    """
    _require_finite(values)
    standard = Standard.of(values, int(numbers["dims"]))
    fitted = fit_library(kind, standard.apply(values), numbers, seed)
    params, arrays = export(fitted)
    return params, {**standard.arrays, **arrays}


def fit_library(
    kind: str, seen: Floats, numbers: Mapping[str, float], seed: int
) -> Any:  # Any: scikit-learn's estimators share no typed base
    """The library's own detector, fitted on standardised rows of shape (n, d)."""
    count = len(seen)
    if kind == "isolation_forest":
        samples = min(int(numbers["samples"]), count)
        return IsolationForest(
            n_estimators=int(numbers["trees"]), max_samples=samples, random_state=seed
        ).fit(seen)
    if kind == "lof":
        neighbours = min(int(numbers["neighbours"]), count - 1)
        return LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(seen)
    if kind == "knn":
        neighbours = min(int(numbers["neighbours"]), count)
        return NearestNeighbors(n_neighbors=neighbours).fit(seen)
    if kind == "ocsvm":
        spread = float(seen.var()) or 1.0
        gamma = numbers["gamma"] / (seen.shape[1] * spread)
        return OneClassSVM(nu=numbers["nu"], gamma=gamma).fit(seen)
    if kind == "mahalanobis" and numbers["robust"]:
        return _fit_robust(seen, seed)
    if kind == "mahalanobis":
        return ShrunkCovariance(shrinkage=numbers["shrinkage"]).fit(seen)
    if kind == "autoencoder":
        return fit_autoencoder(seen, numbers, seed)
    raise RequestError(f"detector kind: {kind!r} is not fitted on vectors", "use another kind")


def export(fitted: Any) -> tuple[dict[str, float], Exported]:  # Any: as `fit_library`
    """Numbers and arrays of what `fit_library` gave, without the standardisation."""
    if isinstance(fitted, IsolationForest):
        return _export_forest(fitted)
    if isinstance(fitted, LocalOutlierFactor):
        neighbours = fitted.n_neighbors_
        # scikit-learn keeps the two under private names only; the equality tests watch them
        reach = np.ascontiguousarray(fitted._distances_fit_X_[:, neighbours - 1])
        points = np.asarray(fitted._fit_X, dtype=np.float64)
        arrays = {"points": points, "reach": reach, "density": fitted._lrd}
        return {"neighbours": float(neighbours)}, arrays
    if isinstance(fitted, NearestNeighbors):
        points = np.asarray(fitted._fit_X, dtype=np.float64)
        return {"neighbours": float(fitted.n_neighbors)}, {"points": points}
    if isinstance(fitted, OneClassSVM):
        params = {"gamma": float(fitted.gamma), "offset": -float(fitted.intercept_[0])}
        coefficients = np.ascontiguousarray(fitted.dual_coef_[0])
        return params, {"points": fitted.support_vectors_, "coefficients": coefficients}
    if isinstance(fitted, Autoencoder):
        return {"layers": float(len(fitted.weights))}, fitted.arrays
    return {}, {"location": fitted.location_, "precision": fitted.get_precision()}


def _export_forest(forest: IsolationForest) -> tuple[dict[str, float], Exported]:
    """Trees end to end; a leaf leads to itself and holds its path length, less one."""
    trees: dict[str, list[NDArray[Any]]] = {}  # Any: two types
    start, roots = 0, []
    for place, estimator in enumerate(forest.estimators_):
        tree, columns = estimator.tree_, forest.estimators_features_[place]
        here = np.arange(tree.node_count) + start
        leaf = tree.children_left < 0
        depth = forest._decision_path_lengths[place] + forest._average_path_length_per_tree[place]
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


def _fit_robust(seen: Floats, seed: int) -> MinCovDet:
    count, width = seen.shape
    if count < 5 * width:
        raise TooFewTexts(
            f"robust covariance: {count} texts in {width} dimensions, needs 5 a dimension",
            f"set dims to at most {count // 5}",
        )
    with warnings.catch_warnings():
        # constant columns make the covariance singular; the pseudo-inverse leaves them out
        warnings.filterwarnings("ignore", message=".*not full rank.*")
        warnings.filterwarnings("ignore", message="Determinant has increased.*")
        return MinCovDet(random_state=seed).fit(seen)


@dataclass(frozen=True, slots=True, eq=False)
class Autoencoder:
    """A small autoencoder, d -> width -> bottleneck -> width -> d, tanh between (ours).

    Attributes:
        weights: Per layer, float64, shape (out, in).
        biases: Per layer, float64, shape (out,).
    """

    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    def reconstruct(self, seen: torch.Tensor) -> torch.Tensor:
        """Rows of shape (n, d) through the bottleneck and back."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            seen = seen @ weight.T + bias
            if place < len(self.weights) - 1:
                seen = torch.tanh(seen)
        return seen

    @property
    def arrays(self) -> Exported:
        """For the exported model."""
        named = {f"weight_{i}": weight for i, weight in enumerate(self.weights)}
        named |= {f"bias_{i}": bias for i, bias in enumerate(self.biases)}
        return {name: value.numpy() for name, value in named.items()}


def fit_autoencoder(seen: Floats, numbers: Mapping[str, float], seed: int) -> Autoencoder:
    """Train by full-batch Adam in float32, score in float64; draws from its own generator."""
    draw = torch.Generator().manual_seed(seed)
    width, bottleneck = int(numbers["width"]), int(numbers["bottleneck"])
    sizes = (seen.shape[1], width, bottleneck, width, seen.shape[1])
    weights = tuple(
        torch.randn(out, into, generator=draw).div_(into**0.5) for into, out in pairwise(sizes)
    )
    biases = tuple(torch.zeros(out) for out in sizes[1:])
    coder = Autoencoder(weights, biases)
    rows = torch.from_numpy(seen.astype(np.float32))
    for value in (*weights, *biases):
        value.requires_grad_(True)
    adam = torch.optim.Adam([*weights, *biases], lr=numbers["learning_rate"])
    for _ in range(int(numbers["epochs"])):
        adam.zero_grad()
        loss = (coder.reconstruct(rows) - rows).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        adam.step()
    return Autoencoder(
        tuple(weight.detach().double() for weight in weights),
        tuple(bias.detach().double() for bias in biases),
    )


def _require_finite(*tables: Floats) -> None:
    for values in tables:
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise UnusableScores(
                f"features of the fit null: not finite in {len(bad)} rows, first {bad[0]}",
                "extract the features again; if it stays, the checkpoint's weights are unsound",
            )

"""Scorers: NumPy alone beside the library's own scoring, standardisation included in both."""

import importlib
import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import Row, figure, ratio

from tuni.detectors.fits.standard import Standard
from tuni.detectors.model import ArrayModel
from tuni.detectors.registry import kind_named
from tuni.detectors.score import score

# Kind, fitted rows, width of the features: as searches of a testbed and of a ViT-B/32 have them.
KINDS = (
    ("isolation_forest", 2_000, 128),
    ("lof", 2_000, 128),
    ("ocsvm", 2_000, 128),
    ("mahalanobis", 2_000, 128),
    ("knn", 2_000, 128),
    ("autoencoder", 2_000, 128),
)


def measure(smoke: bool) -> Iterator[Row]:
    """One row a kind, then what it holds in memory."""
    rows = 2_000 if smoke else 100_000
    draw = np.random.default_rng(0)
    for kind, fitted, width in KINDS:
        # Names share parts: rows lie about a few directions, as hidden states do.
        mix = draw.normal(size=(width // 4, width))
        null, listed = (
            (draw.normal(size=(count, width // 4)) @ mix + draw.normal(size=(count, width)))
            for count in (fitted, rows)
        )
        table = {"x": listed.astype(np.float32)}
        standard = Standard.of(null, 0)
        fits = importlib.import_module(f"tuni.detectors.fits.{kind}")
        library = fits.fit_library(standard.apply(null), kind_named(kind).defaults, 0)
        params, arrays = fits.export(library)
        model = ArrayModel(kind, ("x",), params, {**standard.arrays, **arrays})
        yield ratio(
            "scorers",
            f"{kind}: {rows:,} rows of width {width}, fitted on {fitted:,}",
            {
                "library": partial(_library, library, standard, table["x"]),
                "NumPy": partial(score, model, table),
            },
            1 if smoke else 5,
            wanted=">= 1",
            warm_up=not smoke,
        )
        yield figure(
            "scorers", f"{kind}: largest memory of a call beside its input and result",
            [_peak(model, table)], "MB",
        )  # fmt: skip


def _library(fitted: Any, standard: Standard, values: NDArray[np.float32]) -> object:
    seen = standard.apply(values.astype(np.float64))
    if hasattr(fitted, "score_samples"):
        return fitted.score_samples(seen)
    if hasattr(fitted, "kneighbors"):
        return fitted.kneighbors(seen)
    if hasattr(fitted, "mahalanobis"):
        return fitted.mahalanobis(seen)
    with torch.inference_mode():
        return fitted.reconstruct(torch.from_numpy(seen))


def _peak(model: ArrayModel, table: dict[str, NDArray[np.float32]]) -> float:
    tracemalloc.start()
    try:
        score(model, table)
        return (tracemalloc.get_traced_memory()[1] - 8 * len(table["x"])) / 1e6
    finally:
        tracemalloc.stop()

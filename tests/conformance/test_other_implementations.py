"""Our detectors and p-values against other people's implementations of the same ideas.

nonconform, the reference for conformal p-values, asks for Python 3.12; scipy's percentiles stand in
for it. The detectors are held against PyOD's own.
"""

import numpy as np
import pytest
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mcd import MCD
from pyod.models.ocsvm import OCSVM
from scipy.stats import percentileofscore, spearmanr

from tuni.detectors.model import ArrayModel
from tuni.detectors.registry import fit_of, kind_named
from tuni.detectors.score import score
from tuni.statistics.p_values import conformal_p

PAIRS = {
    "isolation_forest": ({}, lambda d: IForest(n_estimators=100, max_samples=256, random_state=3)),
    "lof": ({}, lambda d: LOF(n_neighbors=20)),
    "ocsvm": ({}, lambda d: OCSVM(nu=0.1, gamma=1.0 / d)),
    "knn": ({}, lambda d: KNN(n_neighbors=10, method="mean")),
    "mahalanobis": ({"robust": 1.0}, lambda d: MCD(random_state=3)),
}


def rows(seed: int, n: int, dims: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dims))


@pytest.mark.parametrize("kind", PAIRS)
def test_detectors_rank_new_rows_as_pyod_does(kind: str) -> None:
    changed, theirs = PAIRS[kind]
    fit_rows, new = rows(0, 400), 1.5 * rows(1, 300)
    # Both see the same standardised rows; ours standardises by itself.
    center, scale = fit_rows.mean(axis=0), fit_rows.std(axis=0)
    other = theirs(fit_rows.shape[1]).fit((fit_rows - center) / scale)
    params, arrays = fit_of(kind_named(kind))([fit_rows], kind_named(kind).defaults | changed, 3)
    ours = score(ArrayModel(kind, ("x",), params, arrays), {"x": new})
    expected = other.decision_function((new - center) / scale)
    assert spearmanr(ours, expected).statistic > 1 - 1e-9


@pytest.mark.parametrize("decimals", [1, 8])
def test_conformal_p_values_are_scipy_s_percentiles_with_the_text_itself_counted(
    decimals: int,
) -> None:
    scores, calibration = (np.round(rows(s, 200, 1)[:, 0], decimals) for s in (2, 3))
    below = np.array([percentileofscore(calibration, one, kind="strict") for one in scores]) / 100
    m = len(calibration)
    assert conformal_p(scores, calibration) == pytest.approx((1 + m * (1 - below)) / (m + 1))

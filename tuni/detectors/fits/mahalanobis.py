"""Location and precision of the null, by scikit-learn's shrunk or robust covariance."""

import warnings
from collections.abc import Mapping

from sklearn.covariance import MinCovDet, ShrunkCovariance

from tuni.detectors.fits.standard import fit_standardised
from tuni.detectors.kind import Fitted, Floats
from tuni.errors import TooFewTexts


def fit_library(
    seen: Floats, numbers: Mapping[str, float], seed: int
) -> ShrunkCovariance | MinCovDet:
    """The library's own, on standardised rows of shape (n, d).

    Raises:
        TooFewTexts: A robust covariance was asked for in as many dimensions as texts.
    """
    if not numbers["robust"]:
        return ShrunkCovariance(shrinkage=numbers["shrinkage"]).fit(seen)
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


def export(fitted: ShrunkCovariance | MinCovDet) -> Fitted:
    """Numbers and arrays, without the standardisation."""
    return {}, {"location": fitted.location_, "precision": fitted.get_precision()}


fit = fit_standardised(fit_library, export)

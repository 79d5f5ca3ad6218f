"""How tests/golden/format-1 was made. Run once for a new format; what is there is never edited.

python tests/golden/make_format_1.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

from tuni.detectors.bundle import Bundle, Scorer, write_bundle
from tuni.detectors.defaults import SINGLE
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.score import score
from tuni.detectors.spec import DetectorSpec
from tuni.features.spec import FeatureSpec
from tuni.texts.kind import NeighbourParts

WIDTH = 4
VECTORS = ("isolation_forest", "lof", "ocsvm", "mahalanobis", "knn", "autoencoder")
SMALL = {
    "isolation_forest": (("trees", 3.0), ("samples", 16.0)),
    "autoencoder": (("width", 3.0), ("bottleneck", 2.0), ("epochs", 5.0)),
}


def table(seed: int, n: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    columns = {"hidden.norm": draw.random((n, 1)) + 1}
    for name, width in (("hidden.0", WIDTH), ("jacobian_relative", 1)):
        for suffix in ("", ".other_lasts", ".other_firsts"):
            columns[name + suffix] = draw.normal(size=(n, width))
    return {name: values.astype(np.float32) for name, values in columns.items()}


def main(folder: Path) -> None:
    each = [DetectorSpec(kind, ("hidden.0",), params=SMALL.get(kind, ())) for kind in VECTORS]
    vote = DetectorSpec("vote", params=(("alpha", 0.2), ("needed", 3.0)), parts=tuple(each))
    spec = DetectorSpec(
        "sum",
        parts=(
            DetectorSpec("pair_residual", ("hidden.0",)),
            DetectorSpec("feature", ("jacobian_relative~0.375",)),
            DetectorSpec("knn", ("hidden.0", "jacobian_relative"), params=(("dims", 3.0),)),
            vote,
            *each,
        ),
    )
    nulls = Nulls(table(1, 30), table(2, 30), table(3, 30), table(4, 30))
    scorers = {}
    for name, chosen in (("pair", spec), ("single", SINGLE)):
        model = fit_detector(chosen, nulls, seed=0)
        calibration = [np.sort(np.round(score(model, table(s, 20)), 6)) for s in (5, 6)]
        scorers[name] = Scorer(model, calibration[0], calibration[1], 1e-6)
    bundle = Bundle(
        checkpoint="golden",
        fingerprint="0" * 64,
        kind="name",
        feature_spec=FeatureSpec((NeighbourParts("*", ("Ada", "Grace"), ("Byron", "Hopper")),)),
        operating_point=0.05,
        seed=0,
        settings={"search": {"trials": 60}},
        evidence={"power": None},
        versions={"tuni": "0.1.0"},
        **scorers,
    )
    digest = write_bundle(bundle, folder / "bundle")
    rows = table(7, 6)
    expected = {
        "digest": digest,
        "columns": {name: values.tolist() for name, values in rows.items()},
        "pair": score(bundle.pair.model, rows).tolist(),
        "single": score(bundle.single.model, rows).tolist(),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

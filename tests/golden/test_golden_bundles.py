"""Bundles that older versions wrote must score as they did then."""

import json
from pathlib import Path

import numpy as np
import pytest

from tuni.detectors.bundle import Scorer, bundle_digest, read_bundle
from tuni.detectors.model import ArrayModel
from tuni.detectors.registry import BUILT_IN
from tuni.detectors.score import score

HERE = Path(__file__).parent
YOUNGER = {"length"}  # kinds that were added after the bundle was kept
FORMATS = sorted(path.name for path in HERE.glob("format-*"))


def kinds(model: ArrayModel) -> set[str]:
    return {model.kind}.union(*map(kinds, model.parts))


@pytest.mark.parametrize("name", FORMATS)
def test_a_kept_bundle_still_gives_its_scores(name: str) -> None:
    expected = json.loads((HERE / name / "expected.json").read_text())
    bundle = read_bundle(HERE / name / "bundle", expected["digest"])
    assert bundle_digest(HERE / name / "bundle") == expected["digest"]
    table = {key: np.array(rows, np.float32) for key, rows in expected["columns"].items()}
    for part in ("pair", "single"):
        scorer: Scorer = getattr(bundle, part)
        np.testing.assert_allclose(score(scorer.model, table), expected[part], rtol=1e-9)


def test_the_kept_bundle_holds_every_kind() -> None:
    assert FORMATS == ["format-1"]
    assert kinds(read_bundle(HERE / "format-1" / "bundle").pair.model) == set(BUILT_IN) - YOUNGER

"""A detector for the small checkpoint, so cheap that every test can judge lists with it."""

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.model import ArrayModel
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.model.target import Target
from tuni.texts.names import NeighbourParts, reference_parts


@pytest.fixture(scope="session")
def bundle(tiny_target: Target) -> Bundle:
    """A detector that reads one cheap column."""
    common = reference_parts("latin/*", 6)
    scorer = Scorer(
        model=ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}),
        decoy_scores=np.linspace(4.0, 12.0, 399),
        gibberish_scores=np.linspace(2.0, 10.0, 99),
        quantum=1e-6,
    )
    return Bundle(
        checkpoint="tiny",
        fingerprint=tiny_target.fingerprint,
        kind="name",
        feature_spec=FeatureSpec(
            parts=(NeighbourParts("*", common.firsts, common.lasts),),
            batch=32,
            families=by_family(HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1)),
        ),
        pair=scorer,
        single=scorer,
        operating_point=0.05,
        seed=1,
        settings={},
        evidence={},
        versions={},
    )

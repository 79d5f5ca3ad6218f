"""A detector for the small checkpoint, so cheap that every test can judge lists with it."""

import numpy as np
import pytest

from tests.objects import make_bundle, one_column_scorer
from tuni.detectors.bundle import Bundle
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.model.target import Target
from tuni.texts.kind import NeighbourParts
from tuni.texts.reference_parts import reference_parts


@pytest.fixture(scope="session")
def bundle(tiny_target: Target) -> Bundle:
    """A detector that reads one cheap column."""
    common = reference_parts("latin/*", 6)
    scorer = one_column_scorer("hidden.norm", np.linspace(4, 12, 399), np.linspace(2, 10, 99))
    spec = FeatureSpec(
        parts=(NeighbourParts("*", common.firsts, common.lasts),),
        batch=32,
        families=by_family(HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1)),
    )
    return make_bundle(scorer, spec, fingerprint=tiny_target.fingerprint, single=scorer)

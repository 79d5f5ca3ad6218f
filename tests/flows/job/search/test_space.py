"""What the search may try: valid detectors, of features that there are."""

import optuna
import pytest
from optuna.trial import FixedTrial

from flows.job.search.space import (
    H_PARAMS,
    default_detector,
    paper_detector,
    paper_params,
    starting_points,
    suggest,
)
from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2, DEFAULT_T, H2_WITHOUT_GRADIENTS, PAPER
from tuni.detectors.spec import DetectorSpec
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family, family_of
from tuni.features.spec import FeatureSpec

WHOLE = FeatureSpec(
    parts=(),
    families=by_family(
        HiddenSpec(),
        NoiseSpec(),
        JacobianSpec(),
        InversionSpec(),
        GeometrySpec(("{}",), ("{}",), bank_digest="b" * 64),
    ),
)
PLAIN = FeatureSpec(parts=(), families=by_family(HiddenSpec()))
SPECS = pytest.mark.parametrize("spec", [WHOLE, PLAIN], ids=["all features", "hidden alone"])


def suggested(spec: FeatureSpec, count: int = 150) -> list[DetectorSpec]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = []
    for _ in range(count):
        trial = study.ask()
        try:
            found.append(suggest(trial, spec, 3000))
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, 0.0)
    return found


def test_h2_h_and_the_papers_configuration_are_points_of_the_space():
    points = [suggest(FixedTrial(params), WHOLE, 3000) for params, _ in starting_points(WHOLE)]
    assert {DEFAULT_H2, DEFAULT_H, DEFAULT_T, H2_WITHOUT_GRADIENTS, PAPER} == set(points)
    assert suggest(FixedTrial(H_PARAMS), WHOLE, 3000) == DEFAULT_H
    assert suggest(FixedTrial(paper_params()), WHOLE, 3000) == PAPER


@SPECS
def test_every_study_starts_with_detectors_that_its_features_allow(spec):
    points = [suggest(FixedTrial(params), spec, 3000) for params, _ in starting_points(spec)]
    assert points[0] == default_detector(spec)
    assert len({point.hash for point in points}) == len(points)


def test_defaults_follow_the_features():
    assert default_detector(WHOLE) == DEFAULT_H2
    assert default_detector(PLAIN) == H2_WITHOUT_GRADIENTS
    assert paper_detector(WHOLE) == PAPER
    assert paper_detector(PLAIN) is None


@SPECS
def test_only_features_that_are_extracted_are_asked_for(spec):
    for detector in suggested(spec):
        assert {family_of(name) for name in detector.needed} <= set(spec.families)


@SPECS
def test_a_suggestion_survives_json(spec):
    for detector in suggested(spec, 60):
        assert DetectorSpec.from_json(detector.to_json()).hash == detector.hash


def test_the_space_holds_every_kind():
    kinds = {detector.kind for detector in suggested(WHOLE, 300)}
    assert kinds == {
        "feature", "pair_residual", "sum", "vote", "isolation_forest", "lof", "ocsvm",
        "mahalanobis", "knn", "autoencoder", "length",
    }  # fmt: skip


@pytest.mark.parametrize(
    "params",
    [
        {"detector": "sum", "less_parts": False, "sum.pair": False, "sum.norm": False},
        {
            "detector": "vote", "less_parts": False, "vote.inputs": "hidden",
            "vote.isolation_forest": False, "vote.lof": True, "vote.ocsvm": False,
            "vote.mahalanobis": False, "vote.knn": False,
            "vote.needed": 2, "vote.alpha": 0.05,
        },
    ],
    ids=["a sum of nothing", "more votes than voters"],
)  # fmt: skip
def test_what_is_no_detector_is_left_out(params):
    with pytest.raises(optuna.TrialPruned):
        suggest(FixedTrial(params), PLAIN, 3000)

"""What the search may try: Optuna's suggestions turned into detector specs.

The one law: the default H2, H and the paper's configuration are points of this space, so that every
study shows them. What is asked of Optuna is said by each kind of detector, in `suggest`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import optuna

from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2, H2_WITHOUT_GRADIENTS, PAPER
from tuni.detectors.kinds.vote import voters
from tuni.detectors.registry import kind_named, kind_names
from tuni.detectors.search import Search, T, sum_offers
from tuni.detectors.spec import DetectorSpec
from tuni.features.spec import FeatureSpec

Params = dict[str, Any]  # Any: what Optuna suggests: strings, numbers, booleans

T_PARAMS: Params = {"pair.layer": 0, "pair.ridge": 0.5, "pair.spread": 0.3}
H_PARAMS: Params = {
    **T_PARAMS,
    "detector": "sum",
    "less_parts": False,
    "sum.pair": True,
    "sum.jacobian": "jacobian_relative",
    "sum.noise": False,
    "sum.norm": False,
    "sum.geometry": "none",
    "lambda": 0.375,
}

_H2: Params = {
    "detector": "sum",
    "less_parts": True,
    "sum.pair": False,
    "sum.length": True,
    "length.layer": 0,
    "lambda": 0.0,
}


def paper_params() -> Params:
    """The paper's configuration as a point of the space."""
    chosen = {part.kind for part in PAPER.parts}
    return {
        "detector": "vote",
        "less_parts": False,
        "vote.inputs": "inversion",
        "vote.needed": 2,
        "vote.alpha": 0.05,
        **{f"vote.{kind.name}": kind.name in chosen for kind, _ in voters()},
    }


def starting_points(spec: FeatureSpec) -> list[tuple[Params, str]]:
    """Parameters of the trials that every study begins with, and what they are called."""
    points = []
    nothing: Params = {name: next(iter(options)) for name, options in sum_offers(spec).items()}
    light = (nothing | _H2 | {"sum.norm": True}, "H2 without gradients (ours)")
    if DEFAULT_H.families <= set(spec.families):
        jacobian: Params = {"sum.jacobian": "jacobian_relative"}
        points.append((nothing | _H2 | jacobian, "default H2 (ours)"))
        points.append((nothing | H_PARAMS, "H (ours)"))
    points.append(light)
    points.append((T_PARAMS | {"detector": "pair_residual", "less_parts": False}, "T alone (ours)"))
    if PAPER.families <= set(spec.families):
        points.append((paper_params(), "the paper's configuration"))
    return points


def expected_detectors(
    spec: FeatureSpec, gibberish: int, trials: int, seed: int
) -> list[DetectorSpec]:
    """Detectors such as a search will try: the starting points, then random suggestions.

    Args:
        spec: Which features exist.
        gibberish: Gibberish texts there are.
        trials: How many the search tries.
        seed: Of the suggestions.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    for params, name in starting_points(spec):
        study.enqueue_trial(params, user_attrs={"name": name})
    expected = []
    for _ in range(trials):
        with suppress(optuna.TrialPruned):
            expected.append(suggest(study.ask(), spec, gibberish))
    return expected


def default_detector(spec: FeatureSpec) -> DetectorSpec:
    """H2, with the norm in the place of the Jacobian where the spec has no gradients."""
    return DEFAULT_H2 if DEFAULT_H2.families <= set(spec.families) else H2_WITHOUT_GRADIENTS


def paper_detector(spec: FeatureSpec) -> DetectorSpec | None:
    """The paper's configuration, where images are inverted."""
    return PAPER if PAPER.families <= set(spec.families) else None


def suggest(trial: optuna.trial.BaseTrial, spec: FeatureSpec, gibberish: int) -> DetectorSpec:
    """Turn one trial into a detector.

    Args:
        trial: Asked for parameters, only for those that the chosen kind needs.
        spec: Which features exist.
        gibberish: Gibberish texts there are.

    Raises:
        optuna.TrialPruned: The suggestion is no detector, such as a sum of nothing.
    """
    suggestions = {
        name: suggestion
        for name in kind_names()
        if (suggestion := kind_named(name).suggest) is not None
    }
    chosen = trial.suggest_categorical("detector", list(suggestions))
    less_parts = trial.suggest_categorical("less_parts", [True, False])
    detector = suggestions[chosen](Search(_Trial(trial), spec, gibberish, less_parts))
    if detector is None or (less_parts and kind_named(detector.kind).votes):
        raise optuna.TrialPruned("the values make no detector")
    return replace(detector, less_parts=less_parts)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One of Optuna's trials as `tuni.detectors.search.Ask`."""

    trial: optuna.trial.BaseTrial

    def choice(self, name: str, options: Sequence[T]) -> T:
        return cast("T", self.trial.suggest_categorical(name, list(options)))

    def number(
        self, name: str, low: float, high: float, *, log: bool = False, step: float | None = None
    ) -> float:
        return self.trial.suggest_float(name, low, high, log=log, step=step)

    def whole(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self.trial.suggest_int(name, low, high, log=log)

"""What the search may try: Optuna's suggestions turned into detector specs.

The one law: the default H and the paper's configuration are points of this space, so that every
study shows both. Every bound is ours, not the paper's.
"""

from collections.abc import Mapping
from typing import Any, cast

import optuna

from tuni.detectors.spec import DEFAULT_H, PAPER, DetectorSpec, Kind, Null
from tuni.features.spec import FeatureSpec

VECTOR_KINDS: tuple[Kind, ...] = (
    "ocsvm", "mahalanobis", "knn", "lof", "isolation_forest", "autoencoder",
)  # fmt: skip
NULLS: list[Null] = ["decoy", "gibberish"]
VOTERS: tuple[Kind, ...] = ("isolation_forest", "lof", "ocsvm", "mahalanobis", "knn")
# Scoring LOF and kernels costs a pass over all fitted rows: a bound on the time of a trial (ours).
MOST_ROWS: Mapping[str, int] = {"lof": 2000, "ocsvm": 2000, "mahalanobis": 5000}

Params = dict[str, Any]  # Any: what Optuna suggests: strings, numbers, booleans

H_PARAMS: Params = {
    "detector": "sum",
    "sum.pair": True,
    "pair.layer": 0,
    "pair.ridge": 0.5,
    "pair.spread": 0.3,
    "sum.jacobian": "jacobian_relative",
    "sum.noise": False,
    "sum.norm": False,
    "sum.geometry": "none",
    "lambda": 0.375,
}
PAPER_PARAMS: Params = {
    "detector": "vote",
    "vote.inputs": "inversion",
    "vote.isolation_forest": True,
    "vote.lof": True,
    "vote.ocsvm": True,
    "vote.mahalanobis": True,
    "vote.knn": False,
    "vote.needed": 2,
    "vote.alpha": 0.05,
}


def starting_points(spec: FeatureSpec) -> list[tuple[Params, str]]:
    """Parameters of the trials that every study begins with, and what they are called."""
    points = []
    if spec.jacobian is not None:
        points.append((H_PARAMS, "default H (ours)"))
    points.append(
        (
            {
                "detector": "pair_residual",
                "pair.layer": 0,
                "pair.ridge": 0.5,
                "pair.spread": 0.3,
            },
            "T alone (ours)",
        )
    )
    if spec.inversion is not None:
        points.append((PAPER_PARAMS, "the paper's configuration"))
    return points


def default_detector(spec: FeatureSpec) -> DetectorSpec:
    """H, or T alone where the spec has no gradients."""
    return DEFAULT_H if spec.jacobian is not None else DEFAULT_H.parts[0]


def paper_detector(spec: FeatureSpec) -> DetectorSpec | None:
    """The paper's configuration, where images are inverted."""
    return PAPER if spec.inversion is not None else None


def suggest(trial: optuna.trial.BaseTrial, spec: FeatureSpec, gibberish: int) -> DetectorSpec:
    """Turn one trial into a detector.

    Args:
        trial: Asked for parameters, only for those that the chosen kind needs.
        spec: Which features exist.
        gibberish: Gibberish texts there are.

    Raises:
        optuna.TrialPruned: The suggestion is no detector, such as a sum of nothing.
    """
    kinds: list[Kind] = ["sum", "pair_residual", "feature", "vote", *VECTOR_KINDS]
    kind = cast("Kind", trial.suggest_categorical("detector", kinds))
    if kind == "sum":
        return _sum(trial, spec)
    if kind == "pair_residual":
        return _pair(trial, spec)
    if kind == "feature":
        name = trial.suggest_categorical("feature.column", directed_columns(spec))
        return DetectorSpec("feature", (_corrected(name, _lambda(trial, name)),))
    if kind == "vote":
        return _vote(trial, spec)
    return _vector(trial, spec, kind, gibberish)


def directed_columns(spec: FeatureSpec) -> list[str]:
    """One-dimensional features whose direction is known: higher is nearer to "trained on"."""
    names = ["hidden.norm"]
    if spec.noise is not None:
        names.append("noise")
    if spec.jacobian is not None:
        names += ["jacobian_relative", "jacobian_absolute"]
    names += _geometry(spec)
    if spec.inversion is not None:
        names.append("inversion.S")
    return names


def _geometry(spec: FeatureSpec) -> list[str]:
    if spec.geometry is None:
        return []
    names = ["geometry.consistency_8", "geometry.consistency_24"]
    if spec.geometry.bank_digest is not None:
        names += [f"geometry.bank_residual_{rank}" for rank in spec.geometry.bank_ranks]
        names += ["geometry.bank_max", "geometry.bank_mean", "geometry.bank_gap"]
    return names


def _lambda(trial: optuna.trial.BaseTrial, name: str) -> float:
    if not name.startswith(("hidden", "noise", "jacobian")):
        return 0.0  # the other families are extracted without neighbours
    return trial.suggest_float("lambda", 0.0, 0.5, step=0.125)


def _corrected(name: str, factor: float) -> str:
    return f"{name}~{factor:g}" if factor else name


def _pair(trial: optuna.trial.BaseTrial, spec: FeatureSpec) -> DetectorSpec:
    layers = spec.hidden.layers if spec.hidden else (0,)
    layer = trial.suggest_categorical("pair.layer", list(layers))
    return DetectorSpec(
        "pair_residual",
        (f"hidden.{layer}",),
        params=(
            ("ridge", trial.suggest_float("pair.ridge", 0.05, 5.0, log=True)),
            ("spread", trial.suggest_float("pair.spread", 0.0, 1.0)),
        ),
    )


def _sum(trial: optuna.trial.BaseTrial, spec: FeatureSpec) -> DetectorSpec:
    parts: list[DetectorSpec] = []
    if trial.suggest_categorical("sum.pair", [True, False]):
        parts.append(_pair(trial, spec))
    columns = []
    if spec.jacobian is not None:
        choice = trial.suggest_categorical(
            "sum.jacobian", ["none", "jacobian_relative", "jacobian_absolute"]
        )
        columns.append(choice)
    if spec.noise is not None and trial.suggest_categorical("sum.noise", [False, True]):
        columns.append("noise")
    if trial.suggest_categorical("sum.norm", [False, True]):
        columns.append("hidden.norm")
    if spec.geometry is not None:
        columns.append(trial.suggest_categorical("sum.geometry", ["none", *_geometry(spec)]))
    columns = [name for name in columns if name != "none"]
    factor = trial.suggest_float("lambda", 0.0, 0.5, step=0.125) if columns else 0.0
    for name in columns:
        corrected = name.startswith(("hidden", "noise", "jacobian"))
        parts.append(DetectorSpec("feature", (_corrected(name, factor if corrected else 0.0),)))
    if not parts:
        raise optuna.TrialPruned("a sum of nothing")
    return parts[0] if len(parts) == 1 else DetectorSpec("sum", parts=tuple(parts))


def _inputs(trial: optuna.trial.BaseTrial, spec: FeatureSpec, name: str) -> tuple[str, ...]:
    choices = ["hidden", "directed"]
    if spec.geometry is not None:
        choices.append("embedding")
    if spec.inversion is not None:
        choices += ["inversion", "inversion.curve"]
    chosen = trial.suggest_categorical(name, choices)
    if chosen == "hidden":
        layers = spec.hidden.layers if spec.hidden else (0,)
        layer = trial.suggest_categorical("hidden.layer", list(layers))
        return (_corrected(f"hidden.{layer}", _lambda(trial, "hidden")),)
    if chosen == "directed":
        return tuple(
            _corrected(column, _lambda(trial, column))
            for column in directed_columns(spec)
            if not column.startswith("inversion")
        )
    if chosen == "embedding":
        return ("geometry.embedding",)
    if chosen == "inversion":
        spread = trial.suggest_categorical("inversion.spread", ["D_rms", "D_std", "D_cos"])
        return ("inversion.S", f"inversion.{spread}")
    return ("inversion.curve",)


def _vote(trial: optuna.trial.BaseTrial, spec: FeatureSpec) -> DetectorSpec:
    inputs = ["hidden"] + (["inversion"] if spec.inversion is not None else [])
    chosen = trial.suggest_categorical("vote.inputs", inputs)
    columns = ("inversion.S", "inversion.D_rms") if chosen == "inversion" else ("hidden.0",)
    voters = [kind for kind in VOTERS if trial.suggest_categorical(f"vote.{kind}", [True, False])]
    needed = trial.suggest_int("vote.needed", 1, len(VOTERS))
    alpha = trial.suggest_categorical("vote.alpha", [0.01, 0.05, 0.1])
    if needed > len(voters):
        raise optuna.TrialPruned("more votes needed than there are voters")
    parts = []
    for kind in voters:
        params: tuple[tuple[str, float], ...] = ()
        if kind == "mahalanobis":
            # The robust covariance needs far more rows than columns.
            params = (("robust", 1.0),) if chosen == "inversion" else (("shrinkage", 0.9),)
        parts.append(
            DetectorSpec(kind, columns, "gibberish", null_count=MOST_ROWS.get(kind), params=params)
            if chosen == "hidden"
            else DetectorSpec(kind, columns, "gibberish", params=params)
        )
    return DetectorSpec(
        "vote",
        null="gibberish",
        params=(("alpha", float(alpha)), ("needed", float(needed))),
        parts=tuple(parts),
    )


def _vector(
    trial: optuna.trial.BaseTrial, spec: FeatureSpec, kind: Kind, gibberish: int
) -> DetectorSpec:
    columns = _inputs(trial, spec, "inputs")
    null = cast("Null", trial.suggest_categorical("null", NULLS))
    count = None
    if null == "gibberish":
        asked = trial.suggest_int("gibberish_count", 100, max(gibberish, 101), log=True)
        count = min(asked, MOST_ROWS.get(kind, asked))
    wide = columns[0].startswith(("hidden.0", "hidden.1", "geometry.embedding"))
    dims = float(trial.suggest_categorical("dims", [0, 16, 32, 64])) if wide else 0.0
    numbers: dict[str, float] = {}
    if kind == "ocsvm":
        numbers["nu"] = trial.suggest_float("ocsvm.nu", 0.01, 0.5, log=True)
        numbers["gamma"] = trial.suggest_float("ocsvm.gamma", 0.1, 10.0, log=True)
    elif kind == "mahalanobis":
        if trial.suggest_categorical("mahalanobis.robust", [False, True]):
            numbers["robust"] = 1.0
            dims = min(dims, 16.0) or (16.0 if wide else 0.0)
        else:
            numbers["shrinkage"] = trial.suggest_float("mahalanobis.shrinkage", 0.05, 1.0)
    elif kind in ("knn", "lof"):
        numbers["neighbours"] = float(trial.suggest_int(f"{kind}.neighbours", 2, 50, log=True))
    elif kind == "isolation_forest":
        numbers["trees"] = float(trial.suggest_categorical("forest.trees", [100, 200]))
    else:
        numbers["bottleneck"] = float(trial.suggest_int("autoencoder.bottleneck", 2, 32, log=True))
    return DetectorSpec(
        kind,
        columns,
        null,
        count,
        tuple(sorted((numbers | {"dims": dims}).items())),
        guard=not columns[0].startswith("inversion"),
    )

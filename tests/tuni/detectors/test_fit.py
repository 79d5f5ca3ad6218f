import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.detectors.defaults import DEFAULT_T, PAPER
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.fits import pair_residual
from tuni.detectors.fits.standard import Standard
from tuni.detectors.model import ArrayModel, check_model
from tuni.detectors.registry import kind_named
from tuni.detectors.score import column, has_votes, score
from tuni.detectors.spec import DetectorSpec
from tuni.errors import RequestError, TooFewTexts, UnusableScores

CHANGED = [
    ("isolation_forest", {}),
    ("isolation_forest", {"trees": 7.0, "samples": 300.0}),
    ("lof", {}),
    ("lof", {"neighbours": 1.0}),
    ("ocsvm", {}),
    ("ocsvm", {"nu": 0.7, "gamma": 4.0}),
    ("mahalanobis", {"shrinkage": 0.0}),
    ("mahalanobis", {"shrinkage": 1.0}),
    ("mahalanobis", {"robust": 1.0}),
    ("knn", {}),
    ("autoencoder", {"epochs": 20.0}),
]


def library_scores(kind: str, fitted: object, seen: np.ndarray) -> np.ndarray:
    """What the library itself says, turned so that far from the null is high."""
    if kind == "ocsvm":
        return -np.asarray(fitted.decision_function(seen))  # type: ignore[attr-defined]
    if kind == "mahalanobis":
        return np.log(fitted.mahalanobis(seen))  # type: ignore[attr-defined]
    if kind == "knn":
        return np.log(fitted.kneighbors(seen)[0].mean(axis=1))  # type: ignore[attr-defined]
    if kind == "autoencoder":
        rows = torch.from_numpy(seen)
        lost = fitted.reconstruct(rows) - rows  # type: ignore[attr-defined]
        return np.log(lost.square().mean(dim=1).numpy())
    return -np.asarray(fitted.score_samples(seen))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "changed"), CHANGED)
@pytest.mark.parametrize("dims", [0, 3])
def test_exported_arrays_score_as_the_library_does(
    kind: str, changed: dict[str, float], dims: int
) -> None:
    draw = np.random.default_rng(0)
    mix = draw.normal(size=(6, 6))
    fit_rows, new = draw.normal(size=(400, 6)) @ mix, 2 * draw.normal(size=(3_000, 6)) @ mix
    new = np.vstack([new, fit_rows[:50], fit_rows[:50] + 1e-7])
    fits = importlib.import_module(f"tuni.detectors.fits.{kind}")
    numbers = kind_named(kind).defaults | changed
    standard = Standard.of(fit_rows, dims)
    fitted = fits.fit_library(standard.apply(fit_rows), numbers, 3)
    params, arrays = fits.export(fitted)
    model = ArrayModel(kind, ("x",), params, {**standard.arrays, **arrays})
    check_model(model)
    expected = library_scores(kind, fitted, standard.apply(new))
    usable = np.isfinite(expected)  # the library's log distance of a point to itself is -inf
    scale = np.abs(expected[usable]).max()
    tolerance = (1e-6 if kind == "autoencoder" else 1e-9) * scale
    found = score(model, {"x": new})
    np.testing.assert_allclose(found[usable], expected[usable], rtol=0, atol=tolerance)


def test_the_residual_is_a_ridge_regression_on_both_sides_of_square() -> None:
    draw = np.random.default_rng(0)
    for count in (15, 90):  # fewer and more texts than columns: two ways to one solution
        hidden, lasts, firsts = draw.normal(size=(3, count, 10)) + 5
        _, arrays = pair_residual.fit([hidden, lasts, firsts], {"ridge": 0.5, "spread": 0.3}, 0)
        others = np.hstack([lasts, firsts])
        seen = (others - others.mean(0)) / others.std(0)
        gradient = seen.T @ (hidden - hidden.mean(0) - seen @ arrays["weights"])
        np.testing.assert_allclose(gradient, 0.5 * count * arrays["weights"], atol=1e-9)


def names(seed: int, n: int, memorised: float) -> dict[str, np.ndarray]:
    """Hidden states of n pairs of parts; what a member's pair adds lies in no part."""
    pool, draw = np.random.default_rng(99), np.random.default_rng(seed)
    firsts, lasts = pool.normal(size=(2, 120, 64))
    first, last = draw.integers(120, size=(2, n))
    own = draw.normal(size=(n, 64)) / 8
    hidden = firsts[first] + lasts[last] + 0.2 * draw.normal(size=(n, 64)) + memorised * own
    return {
        "hidden.0": hidden,
        "hidden.0.other_lasts": firsts[first] + lasts[:8].mean(axis=0),
        "hidden.0.other_firsts": lasts[last] + firsts[:8].mean(axis=0),
    }


def auc(high: np.ndarray, low: np.ndarray) -> float:
    return float(np.mean(high[:, None] > low))


def test_the_pair_residual_finds_what_no_part_explains() -> None:
    nulls = Nulls({}, {}, names(1, 1_000, 0.0), {})
    members, strangers = names(2, 300, 4.0), names(3, 300, 0.0)
    distance = DetectorSpec("mahalanobis", ("hidden.0",), params=(("shrinkage", 1.0),))
    found = {}
    for spec in (distance, DEFAULT_T):
        model = fit_detector(spec, nulls, seed=0)
        found[spec.kind] = auc(score(model, members), score(model, strangers))
    assert found["mahalanobis"] < 0.75  # the parts' own spread hides the pair
    assert found["pair_residual"] > 0.88


def test_the_pair_residual_finds_nothing_where_nothing_was_memorised() -> None:
    model = fit_detector(DEFAULT_T, Nulls({}, {}, names(1, 1_000, 0.0), {}), seed=0)
    found = auc(score(model, names(2, 1_000, 0.0)), score(model, names(3, 1_000, 0.0)))
    assert abs(found - 0.5) < 0.04


def plane(seed: int, n: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {name: draw.normal(size=(n, 1)) for name in ("inversion.S", "inversion.D_rms")}


def test_the_papers_vote_accuses_few_of_the_null_it_was_set_on() -> None:
    nulls = Nulls(plane(1, 500), plane(2, 500), {}, {})
    model = fit_detector(PAPER, nulls, seed=0)
    accused = has_votes(model, score(model, plane(3, 2_000))).mean()
    assert 0.005 < accused < 0.08  # two of four dependent votes at 5 % each


def test_each_threshold_is_exceeded_by_no_more_than_alpha_of_new_texts() -> None:
    spec = DetectorSpec(
        "vote", params=(("alpha", 0.1),), parts=(DetectorSpec("feature", ("inversion.S",)),)
    )
    for count in (20, 39, 40, 101):
        scale = plane(count, count)
        model = fit_detector(spec, Nulls({}, {}, {}, scale), seed=0)
        above = (column(scale, "inversion.S")[:, 0] > model.arrays["thresholds"][0]).sum()
        assert (above + 1) / (count + 1) <= 0.1 + 1e-12  # the exact rank bound
        assert (above + 2) / (count + 1) > 0.1  # and no needless caution


def test_a_threshold_finer_than_its_texts_is_refused() -> None:
    spec = DetectorSpec(
        "vote", params=(("alpha", 0.01),), parts=(DetectorSpec("feature", ("inversion.S",)),)
    )
    with pytest.raises(TooFewTexts, match="50 texts"):
        fit_detector(spec, Nulls({}, {}, {}, plane(0, 50)), seed=0)


def test_a_costly_column_may_have_fewer_rows() -> None:
    table = plane(0, 300)
    table["inversion.S"] = table["inversion.S"][:60]
    both = DetectorSpec("knn", ("inversion.S", "inversion.D_rms"))
    model = fit_detector(both, Nulls({}, {}, table, {}), seed=0)
    assert len(model.arrays["points"]) == 60
    fewer = DetectorSpec("knn", ("inversion.D_rms",), null_count=40)
    assert len(fit_detector(fewer, Nulls({}, {}, table, {}), seed=0).arrays["points"]) == 40


def test_a_detector_is_fitted_on_the_null_that_its_spec_names() -> None:
    nulls = Nulls(plane(0, 30), {}, plane(1, 40), {})
    for null, count in (("gibberish", 30), ("decoy", 40)):
        spec = DetectorSpec("knn", ("inversion.S",), null=null)  # type: ignore[arg-type]
        assert len(fit_detector(spec, nulls, seed=0).arrays["points"]) == count


def test_a_constant_column_does_no_harm() -> None:
    table = {"x": np.hstack([np.full((100, 1), 3.0), np.random.default_rng(0).random((100, 2))])}
    for kind in ("isolation_forest", "lof", "ocsvm", "mahalanobis", "knn", "autoencoder"):
        params = (("shrinkage", 0.0),) if kind == "mahalanobis" else ()
        model = fit_detector(DetectorSpec(kind, ("x",), params=params), Nulls({}, {}, table, {}), 0)
        assert np.isfinite(score(model, table)).all()


def test_a_null_with_a_hole_is_refused_before_the_fit() -> None:
    table = plane(0, 30)
    table["inversion.S"][7] = np.inf
    with pytest.raises(UnusableScores, match="first 7"):
        fit_detector(DetectorSpec("lof", ("inversion.S",)), Nulls({}, {}, table, {}), seed=0)


def test_a_robust_fit_in_too_many_dimensions_is_refused_with_the_way_out() -> None:
    table = {"x": np.random.default_rng(0).normal(size=(40, 30))}
    spec = DetectorSpec("mahalanobis", ("x",), params=(("robust", 1.0),))
    with pytest.raises(TooFewTexts, match="dims to at most 8"):
        fit_detector(spec, Nulls({}, {}, table, {}), seed=0)


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    spec = DetectorSpec("autoencoder", ("inversion.S",), params=(("epochs", 1),))
    fit_detector(spec, Nulls({}, {}, plane(0, 30), {}), seed=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "magic", "columns": ("x",)},
        {"kind": "knn"},
        {"kind": "knn", "columns": ("x",), "null": "members"},
        {"kind": "knn", "columns": ("x",), "params": (("nu", 0.1),)},
        {"kind": "knn", "columns": ("x",), "params": (("neighbours", float("nan")),)},
        {"kind": "knn", "columns": ("x",), "params": (("neighbours", 3), ("neighbours", 4))},
        {"kind": "ocsvm", "columns": ("x",), "params": (("nu", 1.5),)},
        {"kind": "knn", "columns": ("x",), "null_count": 3},
        {"kind": "feature", "columns": ("x", "y")},
        {"kind": "feature", "columns": ("x",), "params": (("sign", 0.0),)},
        {"kind": "sum"},
        {"kind": "sum", "columns": ("x",)},
        {"kind": "vote", "params": (("needed", 2),), "parts": (DEFAULT_T,)},
    ],
)
def test_a_spec_that_could_not_be_fitted_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        DetectorSpec(**wrong)  # type: ignore[arg-type]


def test_a_default_written_out_is_the_same_detector() -> None:
    short = DetectorSpec("knn", ("x",))
    long = DetectorSpec("knn", ("x",), params=(("neighbours", 10), ("dims", 0)))
    assert short.hash == long.hash
    assert short.hash != DetectorSpec("knn", ("x",), params=(("neighbours", 11),)).hash


@settings(max_examples=60)
@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_other_json_is_refused_as_a_spec(text: object) -> None:
    with pytest.raises(RequestError):
        DetectorSpec.from_json(str(text))

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.detectors.model import ArrayModel, check_model
from tuni.detectors.score import column, has_votes, score
from tuni.errors import BundleError, SpecMismatch, UnusableScores

HEAVY = ("torch", "sklearn", "scipy", "mlflow", "prefect", "optuna")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["detectors.score", "detectors.model", "detectors.bundle", "detectors.spec",
     "statistics.p_values"],
)  # fmt: skip
def test_scoring_loads_no_heavy_library(module: str) -> None:
    assert loaded_after(f"import tuni.{module}") == set()


def test_no_kind_loads_a_heavy_library() -> None:
    every = "from tuni.detectors.registry import kind_names, kind_named"
    assert loaded_after(f"{every}\nfor name in kind_names(): kind_named(name)") == set()


def test_the_check_for_heavy_libraries_can_fail() -> None:
    assert "sklearn" in loaded_after("import tuni.detectors.score, sklearn")


def column_of(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def test_a_plain_column_is_taken_as_it_is() -> None:
    np.testing.assert_array_equal(column({"noise": column_of([1, 2])}, "noise"), [[1.0], [2.0]])


def test_a_column_with_a_factor_is_set_beside_its_neighbours() -> None:
    table = {
        "noise": column_of([1.0]),
        "noise.other_lasts": column_of([2.0]),
        "noise.other_firsts": column_of([4.0]),
    }
    assert column(table, "noise~0.375") == 1.0 - 0.375 * (2.0 + 4.0)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SpecMismatch, match=r"noise\.other_lasts"):
        column({"noise": column_of([1.0])}, "noise~0.375")


def test_a_flat_column_is_refused() -> None:
    with pytest.raises(SpecMismatch, match="1 dimensions"):
        column({"noise": np.zeros(3)}, "noise")


def test_columns_of_different_lengths_are_refused() -> None:
    model = ArrayModel("sum", parts=(feature("a"), feature("b")), arrays=standard(2))
    with pytest.raises(SpecMismatch, match="rows"):
        score(model, {"a": column_of([1.0]), "b": column_of([1.0, 2.0])})


def feature(name: str, sign: float = 1.0) -> ArrayModel:
    return ArrayModel("feature", (name,), {"sign": sign})


def standard(parts: int) -> dict[str, np.ndarray]:
    return {"means": np.full(parts, 1.0), "scales": np.full(parts, 2.0)}


def test_a_feature_may_point_down() -> None:
    assert list(score(feature("a", -1.0), {"a": column_of([1, 2])})) == [-1.0, -2.0]


def test_a_sum_adds_standardised_parts() -> None:
    model = ArrayModel("sum", parts=(feature("a"), feature("b")), arrays=standard(2))
    table = {"a": column_of([3.0]), "b": column_of([9.0])}
    assert score(model, table) == (3 - 1) / 2 + (9 - 1) / 2


def test_a_vote_counts_parts_above_their_thresholds() -> None:
    model = ArrayModel(
        "vote",
        params={"alpha": 0.05, "needed": 2},
        arrays={"thresholds": np.array([0.0, 1.0, 2.0])},
        parts=tuple(feature(name) for name in "abc"),
    )
    table = {name: column_of([0.0, 0.5, 1.5, 9.0]) for name in "abc"}
    scores = score(model, table)
    np.testing.assert_allclose(scores, [0, 1 / 3, 2 / 3, 1])  # a score at a threshold is no vote
    assert list(has_votes(model, scores)) == [False, False, True, True]


def test_the_guard_caps_texts_that_the_model_knows_less_than_decoys() -> None:
    model = ArrayModel("feature", ("a",), {"sign": 1, "guard_norm": 10.0, "guard_cap": 3.0})
    table = {"a": column_of([1, 5, 5]), "hidden.norm": column_of([9, 9, 10])}
    assert list(score(model, table)) == [1.0, 3.0, 5.0]


def knn(points: np.ndarray, neighbours: int) -> ArrayModel:
    width = points.shape[1]
    arrays = {"points": points, "center": np.zeros(width), "scale": np.ones(width)}
    return ArrayModel("knn", ("x",), {"neighbours": neighbours}, arrays)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 6), st.booleans())
def test_neighbour_distances_equal_brute_force(
    seed: int, count: int, width: int, shifted: bool
) -> None:
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(count, width)) + 1e3 * shifted
    near = points[draw.integers(count, size=20)] + 1e-6 * draw.normal(size=(20, width))
    values = np.vstack([near, draw.normal(size=(20, width))])
    neighbours = int(draw.integers(1, count + 1))
    exact = np.sqrt(((values[:, None] - points) ** 2).sum(-1))
    expected = np.log(np.sort(exact, axis=1)[:, :neighbours].mean(axis=1))
    found = score(knn(points, neighbours), {"x": values})
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_text_at_a_point_of_the_null_has_a_finite_score() -> None:
    points = np.arange(12.0).reshape(4, 3)
    assert np.isfinite(score(knn(points, 1), {"x": points})).all()


def test_scores_do_not_depend_on_where_blocks_end() -> None:
    draw = np.random.default_rng(0)
    model, values = knn(draw.normal(size=(50, 4)), 5), draw.normal(size=(9_001, 4))
    pieces = [score(model, {"x": part}) for part in np.array_split(values, 7)]
    np.testing.assert_allclose(score(model, {"x": values}), np.concatenate(pieces), rtol=1e-12)


def test_an_overflowing_part_of_a_vote_is_no_vote_against() -> None:
    model = ArrayModel(
        "vote",
        params={"alpha": 0.05, "needed": 1},
        arrays={"thresholds": np.zeros(1)},
        parts=(knn(np.ones((3, 2)), 1),),
    )
    with pytest.raises(UnusableScores, match="scores"):
        score(model, {"x": np.full((1, 2), 1e300)})


def stump(**changed: object) -> ArrayModel:
    """One tree: a root and two leaves."""
    arrays = {
        "feature": np.array([0, 0, 0], np.int32),
        "threshold": np.array([0.0, 0.0, 0.0]),
        "left": np.array([1, 1, 2], np.int32),
        "right": np.array([2, 1, 2], np.int32),
        "length": np.array([0.0, 1.0, 2.0]),
        "roots": np.array([0], np.int32),
        "center": np.zeros(1),
        "scale": np.ones(1),
    }
    params = {"normaliser": 1.0, "depth": 1.0}
    for name, value in changed.items():
        if name in arrays:
            arrays[name] = np.asarray(value, arrays[name].dtype)
        else:
            params[name] = float(value)  # type: ignore[arg-type]
    return ArrayModel("isolation_forest", ("x",), params, arrays)


def test_a_tree_sends_small_values_left() -> None:
    check_model(stump())
    assert list(score(stump(), {"x": column_of([-1, 0, 1])})) == [0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    "changed",
    [
        {"left": [3, 1, 2]},  # beyond the end
        {"left": [-1, 1, 2]},  # before the start
        {"left": [0, 1, 2]},  # leads to itself, half a leaf
        {"left": [1, 0, 2], "right": [2, 2, 2]},  # leads back: would never end
        {"right": [1, 1, 2]},  # a node with two parents
        {"roots": [0, 0]},
        {"roots": [3]},
        {"roots": [1]},  # a child as a root
        {"roots": []},
        {"feature": [1, 0, 0]},
        {"feature": [-2, 0, 0]},
        {"length": [0.0, np.nan, 2.0]},
        {"length": [0.0, 1.0]},
        {"threshold": [np.inf, 0.0, 0.0]},
        {"scale": [0.0]},
        {"scale": [[1.0]]},
        {"normaliser": 0.0},
        {"normaliser": np.nan},
        {"depth": 0.0},
        {"depth": 1e9},
    ],
)
def test_a_crafted_tree_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(BundleError):
        check_model(stump(**changed))


def test_a_chain_deeper_than_any_forest_is_refused() -> None:
    inner = np.arange(0, 200, 2)
    left, right = np.arange(201), np.arange(201)
    left[inner], right[inner] = inner + 1, inner + 2
    chain = {"feature": np.zeros(201), "threshold": np.zeros(201), "length": np.zeros(201)}
    with pytest.raises(BundleError, match="depth"):
        check_model(stump(left=left, right=right, depth=100, **chain))


@pytest.mark.parametrize(
    "model",
    [
        ArrayModel("magic", ("x",)),
        ArrayModel("feature", ("x",)),
        ArrayModel("feature", ("x",), {"sign": 2.0}),
        ArrayModel("feature", ("x",), {"sign": 1.0, "more": 1.0}),
        ArrayModel("feature", ("x",), {"sign": 1.0, "guard_norm": 1.0}),
        ArrayModel("feature", ("x", "y"), {"sign": 1.0}),
        ArrayModel("feature", (), {"sign": 1.0}),
        ArrayModel("feature", ("x~nan",), {"sign": 1.0}),
        ArrayModel("feature", ("x~",), {"sign": 1.0}),
        ArrayModel("feature", ("x",), {"sign": 1.0}, {"more": np.zeros(1)}),
        ArrayModel("sum"),
        ArrayModel("sum", parts=(feature("a"),)),
        ArrayModel("sum", ("a",), arrays=standard(1), parts=(feature("a"),)),
        ArrayModel("sum", arrays=standard(2), parts=(feature("a"),)),
        ArrayModel("sum", arrays=standard(65), parts=(feature("a"),) * 65),
        ArrayModel(
            "vote",
            params={"alpha": 0.05, "needed": 2},
            arrays={"thresholds": np.zeros(1)},
            parts=(feature("a"),),
        ),
        knn(np.zeros((3, 2)), 4),
        knn(np.zeros((3, 2)), 0),
        knn(np.zeros((0, 2)), 1),
        knn(np.zeros((3, 2), np.float32), 1),
        ArrayModel("knn", ("x",), {"neighbours": 1.0}, {}),
        ArrayModel("autoencoder", ("x",), {"layers": 1e12}, {"center": np.zeros(1)}),
        ArrayModel("mahalanobis", ("x",), {}, {"center": np.zeros(1), "scale": np.ones(1)}),
        ArrayModel("pair_residual", ("x",), {"spread": 0.3}, {"hidden_mean": np.zeros(2)}),
    ],
)
def test_a_crafted_model_is_refused(model: ArrayModel) -> None:
    with pytest.raises(BundleError):
        check_model(model)


def test_parts_nested_without_end_are_refused() -> None:
    model = feature("a")
    for _ in range(20):
        model = ArrayModel("sum", arrays=standard(1), parts=(model,))
    with pytest.raises(BundleError, match="nested"):
        check_model(model)


def test_a_model_cannot_be_changed_after_its_check() -> None:
    model = stump()
    with pytest.raises(ValueError, match="read-only"):
        model.arrays["left"][0] = 7


def nearest_by_brute_force(points: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    distances = np.linalg.norm(rows[:, None] - points[None], axis=2)
    return np.log(np.sort(distances, axis=1)[:, :count].mean(axis=1))


@pytest.mark.parametrize("points", [12, 150, 700])
@pytest.mark.parametrize("kind", ["spread", "few places", "one place"])
def test_nearest_points_are_those_of_brute_force(points: int, kind: str) -> None:
    """However many points are equally near: whole groups, or all of them."""
    draw = np.random.default_rng(points)
    null = draw.normal(size=(points, 6))
    if kind == "few places":
        null = null[draw.integers(3, size=points)]
    elif kind == "one place":
        null = np.repeat(null[:1], points, axis=0)
    rows = draw.normal(size=(50, 6)) + 3
    model = knn(null, 5)
    table = {"x": rows}
    np.testing.assert_allclose(
        score(model, table), nearest_by_brute_force(null, rows, 5), rtol=1e-9
    )

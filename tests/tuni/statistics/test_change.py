import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tuni.errors import UnusableScores
from tuni.statistics.change import changes, normal_scores


def test_a_normal_score_is_that_of_its_rank() -> None:
    calibration = np.arange(99.0)
    assert normal_scores([49.0], calibration)[0] == pytest.approx(-norm.ppf(50.5 / 100))
    assert normal_scores([1e9], calibration)[0] == pytest.approx(-norm.ppf(0.5 / 100))
    assert normal_scores([-1.0], calibration)[0] == pytest.approx(-norm.ppf(99.5 / 100))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.integers(1, 50))
def test_normal_scores_are_finite_and_in_the_order_of_the_scores(
    scores: list[float], decoys: int
) -> None:
    found = normal_scores(scores, np.linspace(-50, 50, decoys))
    assert np.isfinite(found).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_any_rescaling_of_one_detector_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, calibration = rng.normal(size=50), rng.normal(size=200)
    np.testing.assert_array_equal(
        normal_scores(scores, calibration), normal_scores(np.exp(scores), np.exp(calibration))
    )


def test_who_was_learnt_in_between_is_found_and_strangers_are_not() -> None:
    rng = np.random.default_rng(1)
    base, noise = rng.normal(size=2400), rng.normal(size=(2, 2400))
    first, second = base + 0.5 * noise[0], base + 0.5 * noise[1]
    second[:100] += 3.0
    found = changes(first[:400], second[:400], first[400:], second[400:])
    assert (found.p_more[:100] <= 0.05).mean() > 0.9
    assert (found.p_more[100:] <= 0.05).mean() < 0.1
    assert (found.p_less[100:] <= 0.05).mean() < 0.1
    assert found.list_more < 1e-6
    assert found.list_less > 0.5


def test_the_gate_of_an_unchanged_list_is_rarely_shut() -> None:
    shut = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(2, 1100))
        shut += (
            changes(values[0, :100], values[1, :100], values[0, 100:], values[1, 100:]).list_more
            <= 0.01
        )
    assert shut <= 8


def shut_when_common_parts_are_known_less(n: int, seed: int, *, own_parts: bool) -> bool:
    """The gate's answer about n innocent names: parts make 30 % of a change's variance.

    45 common first and last parts are known less by the second checkpoint, by .3 SD each.
    """
    rng = np.random.default_rng(seed)
    common = np.arange(n + 45) >= n
    first, last = rng.normal(0, np.sqrt(0.15), (2, n + 45)) - 0.3 * common
    rows, columns = np.nonzero(~np.eye(n, dtype=bool))
    if not own_parts:  # own and common parts weigh alike, as in a pool that was topped up
        weight = np.where(common, 0.5 / 45, 0.5 / n)
        rows, columns = (rng.choice(n + 45, 2000, p=weight) for _ in range(2))
    drawn = rng.permutation(len(rows))[:2000]
    rows, columns = rows[drawn], columns[drawn]
    spread = np.sqrt(0.7)
    listed = first[:n] + last[:n] + rng.normal(0, spread, n)
    decoys = first[rows] + last[columns] + rng.normal(0, spread, len(rows))
    return changes(np.zeros(n), listed, np.zeros(len(decoys)), decoys).list_more <= 0.01


@pytest.mark.parametrize("n", [5, 10, 20, 45])
@pytest.mark.parametrize("samples", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_decoys_of_own_parts_keep_the_gate_open_where_common_parts_change(
    n: int, samples: int
) -> None:
    shut = [shut_when_common_parts_are_known_less(n, s, own_parts=True) for s in range(samples)]
    assert np.mean(shut) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / samples)
    if n >= 20:
        mixed = [shut_when_common_parts_are_known_less(n, s, own_parts=False) for s in range(200)]
        assert np.mean(mixed) > 0.05  # what own parts are for


def test_the_other_way_round_more_is_less() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 300))
    one = changes(values[0, :100], values[1, :100], values[0, 100:], values[1, 100:])
    two = changes(values[1, :100], values[0, :100], values[1, 100:], values[0, 100:])
    np.testing.assert_array_equal(one.p_more, two.p_less)
    np.testing.assert_allclose(one.change, -two.change)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(UnusableScores):
        changes([np.nan], [0.0], [0.0], [0.0])

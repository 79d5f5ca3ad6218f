import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

from tuni.errors import UnusableScores
from tuni.statistics.null_check import evenness, null_check, two_sample
from tuni.statistics.p_values import conformal_p


def drawn(seed: int, n: int, m: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return conformal_p(rng.normal(shift, 1, n), rng.normal(0, 1, m))


@pytest.mark.parametrize(
    ("n", "m", "nominal"),
    [
        (300, 100, 0.05),
        pytest.param(50, 500, 0.1, marks=pytest.mark.slow),
        pytest.param(500, 2000, 0.05, marks=pytest.mark.slow),
    ],
)
def test_rejections_follow_the_law_that_counts_the_shared_calibration(n, m, nominal):
    """Under exchangeability the validity p is uniform once a count's steps are drawn over."""
    checks = [null_check(drawn(seed, n, m), m, nominal) for seed in range(400)]
    for level in (0.05, 0.2, 0.5):
        share = np.mean([check.validity_p <= level for check in checks])
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 400)
    beyond = np.array([1 - check.conservatism_p for check in checks])
    equal = np.array([check.validity_p for check in checks]) - beyond
    smoothed = beyond + np.random.default_rng(0).random(400) * equal
    assert kstest(smoothed, "uniform").pvalue > 0.01


def test_a_plain_binomial_would_refute_valid_p_values():
    """300 texts against the same 100 decoys: their rate spreads far more than a binomial's."""
    hits = [null_check(drawn(seed, 300, 100), 100, 0.05).rejected.hits for seed in range(400)]
    assert np.std(hits) > 1.5 * np.sqrt(300 * 0.05 * 0.95)


def test_non_members_that_score_above_the_decoys_refute_validity():
    refuted = [not null_check(drawn(s, 500, 2000, 0.5), 2000, 0.05).valid for s in range(20)]
    assert sum(refuted) >= 19


def test_conservatism_is_reported_and_is_no_failure():
    check = null_check(drawn(0, 500, 2000, -1.0), 2000, 0.05)
    assert check.valid
    assert check.conservatism_p < 0.01
    assert check.rejected.high < 0.05


def test_a_rate_finer_than_the_calibration_rejects_nobody():
    check = null_check([0.5, 0.1], 9, 0.05)
    assert (check.attained, check.validity_p, check.valid) == (0.0, 1.0, True)


def test_the_attained_rate_is_what_ranks_allow():
    assert null_check([0.5], 19, 0.05).attained == pytest.approx(0.05)
    assert null_check([0.5], 24, 0.05).attained == pytest.approx(1 / 25)


def test_two_samples_are_compared_as_scipy_does():
    rng = np.random.default_rng(0)
    known, decoys = rng.normal(0.6, 1, 40), rng.normal(0, 1, 300)
    result = two_sample(known, decoys)
    assert result.p == ks_2samp(known, decoys, method="exact").pvalue
    assert result.p_above < 0.01
    assert two_sample(-known, -decoys).p_above > 0.5
    assert (result.n, result.n_calibration) == (40, 300)


@pytest.mark.parametrize(("p", "m"), [([], 10), ([0.5], 0), ([1.5], 10), ([np.nan], 10)])
def test_what_is_no_p_value_is_refused(p, m):
    with pytest.raises(UnusableScores):
        null_check(p, m, 0.05)


def test_a_group_that_is_accused_too_often_is_found():
    draw = np.random.default_rng(0)
    groups = [f"part {number % 40}" for number in range(2000)]
    p = draw.random(2000)
    told = evenness(groups, p, 0.05)
    assert told is not None
    assert told.even
    assert told.groups == 40
    assert 0.6 < told.spread < 1.4
    p[::40] = np.where(draw.random(50) < 0.4, 0.01, 0.5)
    uneven = evenness(groups, p, 0.05)
    assert uneven is not None
    assert not uneven.even
    assert uneven.worst.n == 50
    assert uneven.worst.value > 0.2
    assert uneven.spread > told.spread


def test_small_groups_are_not_looked_at():
    assert evenness(["a"] * 9 + ["b"] * 5, np.full(14, 0.01), 0.05) is None


@pytest.mark.slow
def test_fair_groups_are_called_uneven_in_a_twentieth_of_cases_at_most():
    draw = np.random.default_rng(1)
    groups = [f"part {number % 60}" for number in range(2000)]
    called = [evenness(groups, draw.random(2000), 0.05).even for _ in range(1500)]
    assert np.mean(np.logical_not(called)) <= 0.06

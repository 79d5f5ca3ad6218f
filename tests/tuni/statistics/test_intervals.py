import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tuni.errors import UnusableScores
from tuni.statistics.intervals import clopper_pearson, rate, share

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_agrees_with_scipy(count, level):
    exact = binomtest(*count).proportion_ci(level, method="exact")
    interval = clopper_pearson(*count, level)
    np.testing.assert_allclose([interval.low, interval.high], [exact.low, exact.high], atol=1e-9)


@given(counts)
def test_interval_holds_the_share(count):
    interval = clopper_pearson(*count)
    assert 0.0 <= interval.low <= count[0] / count[1] <= interval.high <= 1.0


@pytest.mark.parametrize("truth", [0.01, 0.05, 0.5])
def test_interval_covers_the_truth_at_least_as_often_as_it_says(truth):
    n = 60
    covered = [clopper_pearson(k, n).low <= truth <= clopper_pearson(k, n).high for k in range(61)]
    assert binom(n, truth).pmf(np.arange(61))[covered].sum() >= 0.95


def test_a_share_keeps_its_counts():
    found = share(np.array([0.01, 0.2, 0.05]) <= 0.05)
    assert (found.hits, found.n) == (2, 3)
    assert found == rate(2, 3)


@pytest.mark.parametrize("count", [(0, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(count):
    with pytest.raises(UnusableScores):
        rate(*count)
    with pytest.raises(UnusableScores):
        share([])

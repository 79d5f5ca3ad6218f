import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm, t

from tuni.errors import UnusableScores
from tuni.statistics.intervals import (
    Ranks,
    clopper_pearson,
    rate,
    redrawn_interval,
    redrawn_share,
    share,
)

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


def ends(interval):
    return interval.low, interval.high


def test_a_threshold_that_is_known_leaves_clopper_and_pearson():
    """A million calibration scores say where 5 % of their law lie; 30 texts, 12 above it."""
    calibration = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000)
    texts = np.repeat([3.0, 0.0], [12, 18])
    drawn = redrawn_interval([Ranks.of(texts, calibration)], 0.05)
    assert ends(drawn) == pytest.approx(ends(clopper_pearson(12, 30)), abs=1e-4)


def test_it_is_the_mixture_over_the_draws_of_the_threshold():
    """Beside a plain simulation of what its docstring says, for two calibrations."""
    rng = np.random.default_rng(3)
    texts, nulls = rng.normal(1, 1, 25), (rng.normal(size=120), rng.normal(size=90))
    drawn = redrawn_interval([Ranks.of(texts, null) for null in nulls], 0.1)
    surely, maybe = np.ones((2, 40_000, 25), dtype=bool)
    for null in nulls:
        beyond = rng.binomial(len(null), 0.1, 40_000)[:, None]
        higher = (null[:, None] > texts).sum(axis=0)
        surely &= higher < beyond
        maybe &= higher <= beyond
    low, high = surely.sum(axis=1), maybe.sum(axis=1)
    low = np.where(low == 0, 0, rng.beta(np.maximum(low, 1), 25 - low + 1))
    high = np.where(high == 25, 1, rng.beta(high + 1, np.maximum(25 - high, 1)))
    simulated = np.quantile(low, 0.025), np.quantile(high, 0.975)
    assert ends(drawn) == pytest.approx(simulated, abs=0.01)


def test_too_few_calibration_scores_say_nothing_about_the_lower_end():
    far = np.full(30, 100.0)
    for size, known in ((71, False), (72, True)):  # .95 ** 72 is the first below 2.5 %
        drawn = redrawn_interval([Ranks.of(far, np.arange(float(size)))], 0.05)
        assert (drawn.low > 0.5) == known
        assert drawn.high == 1.0


def test_ranks_from_p_values_are_those_from_scores():
    rng = np.random.default_rng(0)
    texts, null = rng.normal(1, 1, 40), rng.normal(size=99)
    ranks = Ranks.of(texts, null)
    told = Ranks.of_p((1 + ranks.at_least) / 100, 99)
    assert told.at_least.tolist() == ranks.at_least.tolist()
    assert redrawn_interval([told], 0.05) == redrawn_interval([ranks], 0.05)


def test_a_redrawn_share_keeps_its_counts_inside_its_interval():
    marks = np.arange(20) < 7
    told = redrawn_share(marks, [Ranks.of(np.zeros(20), np.arange(99.0))], 0.05)
    assert (told.hits, told.n, told.value) == (7, 20, 0.35)
    assert told.low <= told.value <= told.high


LAWS = {
    "shifted": (norm(2.0), norm()),
    "wider": (norm(1.5, 1.5), norm()),
    "steep": (norm(1.5, 0.6), norm()),  # the threshold's draw is all that matters
    "heavy tails": (t(3, 2.5), t(3)),
    "near 1": (norm(4.0), norm()),
    "chance": (norm(), norm()),
}


@pytest.mark.parametrize(
    ("law", "samples"),
    [
        ("steep", 60),
        ("near 1", 60),
        *(pytest.param(law, 1000, marks=pytest.mark.slow) for law in LAWS),
    ],
)
@pytest.mark.parametrize(
    ("texts", "nulls"), [(30, (30,)), (30, (100,)), (12, (320, 600)), (100, (2000, 2000))]
)
@pytest.mark.parametrize("at", [0.05, 0.1])
def test_the_redrawn_interval_covers_the_truth(law, samples, texts, nulls, at):
    """Whatever the laws: 95 % asked, .93 at least; the second calibration lies .1 higher."""
    found, null = LAWS[law]
    shifts = [0.1 * place for place in range(len(nulls))]
    truth = found.sf(max(null.isf(at) + shift for shift in shifts))
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(samples):
        scores = found.rvs(texts, random_state=rng)
        drawn = redrawn_interval(
            [
                Ranks.of(scores, null.rvs(size, random_state=rng) + shift)
                for size, shift in zip(nulls, shifts, strict=True)
            ],
            at,
        )
        covered += drawn.low <= truth <= drawn.high
    assert covered >= 0.93 * samples

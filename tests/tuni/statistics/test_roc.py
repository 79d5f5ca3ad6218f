import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from tuni.errors import UnusableScores
from tuni.statistics.roc import (
    auc,
    auc_interval,
    bootstrap_auc,
    partial_auc,
    roc,
    tpr_at,
    weighted_auc,
)

# Few distinct values, so that ties are common.
scores = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=25)


def both(pos, neg):
    return np.repeat([1, 0], [len(pos), len(neg)]), np.array([*pos, *neg])


@given(scores, scores)
def test_auc_agrees_with_counting_pairs(pos, neg):
    wins = sum((p > n) + 0.5 * (p == n) for p in pos for n in neg)
    assert auc(pos, neg) == pytest.approx(wins / len(pos) / len(neg))


@given(scores, scores, st.sampled_from([0.05, 0.2, 0.5, 0.999]))
def test_partial_auc_agrees_with_scikit_learn(pos, neg, end):
    expected = roc_auc_score(*both(pos, neg), max_fpr=end)
    assert partial_auc(pos, neg, end) == pytest.approx(expected, abs=1e-9)


@given(scores, scores)
def test_the_whole_partial_auc_is_the_auc(pos, neg):
    assert partial_auc(pos, neg, 1.0) == pytest.approx(auc(pos, neg))


def test_partial_auc_is_one_for_a_perfect_order_and_half_for_one_tie():
    assert partial_auc([2.0, 3.0], [0.0, 1.0], 0.2) == pytest.approx(1.0)
    assert partial_auc([1.0, 1.0], [1.0, 1.0], 0.2) == pytest.approx(0.5)


@given(scores, scores, st.lists(st.integers(0, 3), min_size=50, max_size=50))
def test_a_weight_counts_as_so_many_copies(pos, neg, drawn):
    labels, values = both(pos, neg)
    weights = np.array(drawn[: len(values)])
    weights[0] = weights[-1] = 1  # some of either kind
    copies = np.repeat(np.arange(len(values)), weights)
    expected = auc(values[copies][labels[copies] == 1], values[copies][labels[copies] == 0])
    weighted = weighted_auc(values, labels == 1, weights[None, :].astype(float))
    assert weighted[0] == pytest.approx(expected)


@given(scores, scores)
def test_roc_agrees_with_scikit_learn_at_every_score(pos, neg):
    curve = roc(pos, neg)
    fpr, tpr, _ = roc_curve(*both(pos, neg), drop_intermediate=False)
    np.testing.assert_allclose(curve.nonmember_fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    assert (curve.low <= curve.tpr).all()
    assert (curve.tpr <= curve.high).all()
    assert (curve.members, curve.nonmembers) == (len(pos), len(neg))


@given(scores, scores, st.sampled_from([0.1, 0.25, 0.5]))
def test_tpr_is_the_point_on_the_segment_of_the_roc(pos, neg, asked):
    found = tpr_at(pos, neg, asked)
    if found is None:
        assert len(neg) * asked < 1
        return
    curve = roc(pos, neg)
    rate = np.floor(asked * len(neg) + 1e-9) / len(neg)  # whole people: no finer than the sample
    last = np.searchsorted(curve.nonmember_fpr, rate + 1e-12) - 1
    start, end = curve.nonmember_fpr[last : last + 2]
    part = (rate - start) / (end - start)
    assert found.value == pytest.approx((1 - part) * curve.tpr[last] + part * curve.tpr[last + 1])
    assert found.low <= found.value <= found.high
    assert found.hits == np.floor(found.value * len(pos) + 1e-9)


def test_a_tie_of_votes_is_divided_by_lot():
    """Two votes: 4 of 100 non-members; one vote: 8 more, of which the rate of 5 % takes one."""
    neg = np.repeat([2.0, 1.0, 0.0], [4, 8, 88])
    pos = np.repeat([2.0, 1.0, 0.0], [10, 40, 50])
    found = tpr_at(pos, neg, 0.05)
    assert found.value == pytest.approx((10 + 40 / 8) / 100)


def test_a_rate_finer_than_the_sample_is_not_given():
    pos, neg = np.arange(30.0), np.arange(99.0)
    assert tpr_at(pos, neg, 0.01) is None
    assert tpr_at(pos, np.arange(100.0), 0.01) is not None
    assert tpr_at(pos, neg, 0.05).n == 30


def test_figures_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    pos, neg = rng.normal(1, 1, 40), rng.normal(0, 1, 50)
    shuffled = rng.permutation(pos), rng.permutation(neg)
    assert auc_interval(pos, neg, 3, draws=200) == auc_interval(*shuffled, 3, draws=200)
    rows = rng.permutation(90)
    values, labels = np.concatenate([pos, neg]), np.repeat([True, False], [40, 50])
    np.testing.assert_array_equal(
        bootstrap_auc((values,), labels, 1, 50)[0],
        bootstrap_auc((values[rows],), labels[rows], 1, 50)[0],
    )


def test_equal_seeds_give_equal_intervals():
    rng = np.random.default_rng(0)
    pos, neg = rng.normal(1, 1, 40), rng.normal(0, 1, 50)
    assert auc_interval(pos, neg, 3, draws=200) == auc_interval(pos, neg, 3, draws=200)
    assert auc_interval(pos, neg, 3, draws=200) != auc_interval(pos, neg, 4, draws=200)


def test_the_interval_does_not_collapse_where_the_sample_is_separated():
    interval = auc_interval(np.arange(10.0, 40.0), np.zeros(30), 0, draws=200)
    assert interval.high == 1.0
    assert 0.85 < interval.low < 0.97


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(0.5, marks=pytest.mark.slow),
        pytest.param(0.8, marks=pytest.mark.slow),
        0.97,
    ],
)
def test_the_interval_covers_the_truth(truth):
    """200 samples of 30 + 30; the bootstrap alone covers an AUC of .97 in 87 %."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pos = rng.normal(norm.ppf(truth) * np.sqrt(2), 1, 30)
        interval = auc_interval(pos, rng.normal(0, 1, 30), seed, draws=200)
        covered += interval.low <= truth <= interval.high
    assert covered >= 184  # .95 less two standard errors


@settings(max_examples=20)
@given(scores, scores, st.integers(0, 9))
def test_the_interval_holds_the_auc(pos, neg, seed):
    interval = auc_interval(pos, neg, seed, draws=50)
    assert 0.0 <= interval.low <= auc(pos, neg) <= interval.high <= 1.0


@pytest.mark.parametrize("function", [auc, roc, lambda p, n: tpr_at(p, n, 0.05)])
def test_unusable_scores_are_refused(function):
    with pytest.raises(UnusableScores):
        function([], [1.0])
    with pytest.raises(UnusableScores):
        function([1.0], [np.nan])

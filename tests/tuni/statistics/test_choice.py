import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tuni.errors import RequestError, UnusableScores
from tuni.statistics.choice import cross_fitted_choice, split_ranks


def study(seed: int, n: int, trials: int, truth: float, best: float | None = None):
    """Scores of n + n texts by trials that are all as good as the default, but for the last."""
    rng = np.random.default_rng(seed)
    members = np.arange(2 * n) < n
    base = rng.normal(size=2 * n)
    scores = {}
    for trial in range(trials):
        level = best if best is not None and trial == trials - 1 else truth
        own = 0.7 * base + np.sqrt(1 - 0.49) * rng.normal(size=2 * n)
        scores[trial] = own + members * norm.ppf(level) * np.sqrt(2)
    return scores, members, rng.random(2 * n)


@pytest.mark.parametrize("studies", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_lucky_trials_almost_never_replace_a_default_that_is_as_good(studies):
    """30 + 30 labels, 60 trials: the naive winner looks better each time, by .1 on average."""
    choices = [cross_fitted_choice(*study(s, 30, 60, 0.93), 0, s) for s in range(studies)]
    assert sum(choice.replaced for choice in choices) <= 1
    assert np.mean([c.best_value - c.default_value for c in choices]) > 0.05
    assert abs(np.mean([c.gain for c in choices])) < 0.05


@pytest.mark.parametrize("studies", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_much_better_trial_replaces_the_default(studies):
    choices = [cross_fitted_choice(*study(s, 60, 30, 0.75, 0.97), 0, s) for s in range(studies)]
    assert [choice.chosen for choice in choices] == [29] * studies
    assert all(c.low > 0.0 and c.gain >= c.margin for c in choices)


def test_a_gain_below_the_margin_changes_nothing():
    scores, members, fractions = study(0, 60, 30, 0.75, 0.97)
    choice = cross_fitted_choice(scores, members, fractions, 0, 0, margin=0.9)
    assert (choice.chosen, choice.best) == (0, 29)
    assert choice.reason == "the gain is below the margin"


def test_equal_trials_leave_the_default():
    scores, members, fractions = study(0, 30, 1, 0.9)
    choice = cross_fitted_choice({3: scores[0], 1: scores[0]}, members, fractions, 1, 0)
    assert (choice.chosen, choice.gain) == (1, 0.0)
    assert choice.reason == "no trial is ahead of the default"


def test_too_few_labels_choose_nothing():
    choice = cross_fitted_choice(*study(0, 19, 30, 0.6, 0.999), 0, 0)
    assert choice.reason == "too few texts to tell"
    assert not choice.replaced


def test_the_choice_does_not_depend_on_the_order_of_rows_and_is_seeded():
    scores, members, fractions = study(4, 40, 10, 0.8, 0.95)
    rows = np.random.default_rng(0).permutation(80)
    moved = {trial: array[rows] for trial, array in scores.items()}
    first = cross_fitted_choice(scores, members, fractions, 0, 5)
    assert first == cross_fitted_choice(moved, members[rows], fractions[rows], 0, 5)
    assert first != cross_fitted_choice(scores, members, fractions, 0, 6)


def test_what_does_not_fit_together_is_refused():
    scores, members, fractions = study(0, 20, 2, 0.9)
    with pytest.raises(RequestError, match="default trial"):
        cross_fitted_choice(scores, members, fractions, 7, 0)
    with pytest.raises(UnusableScores):
        cross_fitted_choice(scores, members, fractions[:-1], 0, 0)
    with pytest.raises(UnusableScores):
        cross_fitted_choice(scores | {1: scores[1][:-1]}, members, fractions, 0, 0)


@given(st.integers(0, 60), st.integers(1, 7), st.integers(0, 9))
def test_folds_divide_all_ranks_evenly(n, folds, seed):
    fold = split_ranks(n, folds, np.random.default_rng(seed))
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.sum() == n
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("n", "truth", "open_"), [(60, 0.75, True), (60, 0.9999999, False)])
def test_a_default_near_the_top_leaves_no_room_for_the_margin(n, truth, open_):
    scores, members, fractions = study(1, n, 1, truth)
    assert cross_fitted_choice(scores, members, fractions, 0, 1).open is open_


def test_too_few_labels_leave_the_choice_closed():
    scores, members, fractions = study(1, 5, 1, 0.6)
    assert not cross_fitted_choice(scores, members, fractions, 0, 1).open

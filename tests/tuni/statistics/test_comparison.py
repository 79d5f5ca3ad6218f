import numpy as np
import pytest
from scipy.stats import norm

from tuni.errors import UnusableScores
from tuni.statistics.comparison import non_inferiority, paired_auc_difference, paired_tpr_difference
from tuni.statistics.roc import auc, tpr_at


def texts(
    seed: int, n: int, *aucs: float, shared: float = 0.8
) -> tuple[list[np.ndarray], np.ndarray]:
    """Scores of n + n texts with the given true AUCs, alike within each kind."""
    rng = np.random.default_rng(seed)
    members = np.arange(2 * n) < n
    base = rng.normal(size=2 * n)
    own = [shared * base + np.sqrt(1 - shared**2) * rng.normal(size=2 * n) for _ in aucs]
    return [s + members * norm.ppf(a) * np.sqrt(2) for s, a in zip(own, aucs, strict=True)], members


def test_the_difference_is_that_of_the_two_aucs():
    (first, second), members = texts(0, 50, 0.9, 0.8)
    result = paired_auc_difference(first, second, members, 0)
    assert result.first == pytest.approx(auc(first[members], first[~members]))
    assert result.difference == pytest.approx(result.first - result.second)
    assert result.low <= result.difference <= result.high


def test_pairing_narrows_the_interval():
    (first, second), members = texts(0, 60, 0.9, 0.88, shared=0.98)
    near = paired_auc_difference(first, second, members, 0)
    shuffled = second.copy()
    rng = np.random.default_rng(1)
    for kind in (members, ~members):
        shuffled[kind] = rng.permutation(second[kind])
    far = paired_auc_difference(first, shuffled, members, 0)
    assert near.difference == pytest.approx(far.difference)
    assert near.high - near.low < 0.5 * (far.high - far.low)


@pytest.mark.parametrize("n", [30, 60])
@pytest.mark.parametrize(
    ("samples", "least"), [(20, 16), pytest.param(1000, 930, marks=pytest.mark.slow)]
)
def test_the_interval_covers_a_true_difference(n, samples, least):
    covered = 0
    for seed in range(samples):
        (first, second), members = texts(seed, n, 0.9, 0.8)
        result = paired_auc_difference(first, second, members, seed, draws=300)
        covered += result.low <= 0.1 <= result.high
    assert covered >= least


@pytest.mark.parametrize(
    ("samples", "least"), [(20, 16), pytest.param(1000, 930, marks=pytest.mark.slow)]
)
def test_the_interval_covers_a_true_difference_in_members_found(samples, least):
    """30 + 30 texts, both thresholds drawn."""
    first, second = (norm.sf(norm.isf(0.05) - norm.ppf(a) * np.sqrt(2)) for a in (0.95, 0.8))
    covered = 0
    for seed in range(samples):
        scores, members = texts(seed, 30, 0.95, 0.8)
        result = paired_tpr_difference(*scores, members, 0.05, seed, draws=300)
        covered += result.low <= first - second <= result.high
    assert covered >= least


def test_rows_may_come_in_any_order():
    (first, second), members = texts(0, 30, 0.9, 0.8)
    rows = np.random.default_rng(0).permutation(60)
    assert paired_auc_difference(first, second, members, 5) == paired_auc_difference(
        first[rows], second[rows], members[rows], 5
    )


def test_an_equal_challenger_is_not_inferior():
    (champion,), members = texts(0, 60, 0.95)
    result = non_inferiority(champion, champion, members, 0)
    assert (result.decision, result.difference) == ("non-inferior", 0.0)


def test_a_much_worse_challenger_is_inferior():
    (champion, challenger), members = texts(0, 100, 0.97, 0.75)
    assert non_inferiority(champion, challenger, members, 0).decision == "inferior"


def test_too_few_labels_cannot_tell_and_neither_can_a_wide_interval():
    (champion,), members = texts(0, 19, 0.95)
    assert non_inferiority(champion, champion, members, 0).decision == "cannot tell"
    (champion, challenger), members = texts(1, 30, 0.9, 0.9, shared=0.0)
    result = non_inferiority(champion, challenger, members, 0)
    assert result.decision == "cannot tell"
    assert result.low < -0.02 < result.high


@pytest.mark.parametrize(
    ("samples", "most"), [(10, 2), pytest.param(40, 5, marks=pytest.mark.slow)]
)
def test_a_challenger_at_the_margin_seldom_passes(samples, most):
    """Truly worse by .05 with a margin of .05: at most one in twenty may pass."""
    passed = 0
    for seed in range(samples):
        (champion, challenger), members = texts(seed, 60, 0.92, 0.87)
        decision = non_inferiority(champion, challenger, members, seed, 0.05).decision
        passed += decision == "non-inferior"
    assert passed <= most


@pytest.mark.parametrize(
    ("first", "members"),
    [([1.0, 2.0], [True, True]), ([1.0], [True, False]), ([np.nan, 1.0], [True, False])],
)
def test_unpaired_or_one_sided_input_is_refused(first, members):
    with pytest.raises(UnusableScores):
        paired_auc_difference(first, first, members, 0)


def test_found_at_a_rate_is_compared_on_the_same_redraws():
    draw = np.random.default_rng(5)
    members = np.repeat([True, False], [80, 100])
    weak = draw.normal(size=180) + 1.0 * members
    strong = draw.normal(size=180) + 3.0 * members
    told = paired_tpr_difference(strong, weak, members, 0.05, 1, draws=400)
    rates = [tpr_at(s[members], s[~members], 0.05).value for s in (strong, weak)]
    assert (told.first, told.second) == tuple(rates)
    assert 0 < told.low <= told.difference <= told.high
    same = paired_tpr_difference(weak, weak, members, 0.05, 1, draws=50)
    assert (same.low, same.high) == (0, 0)


def test_votes_are_not_charged_for_their_ties():
    """A score and its votes: at 5 % of 100 strangers a strict threshold would find nobody."""
    draw = np.random.default_rng(5)
    members = np.repeat([True, False], [80, 100])
    score = draw.normal(size=180) + 2.0 * members
    votes = (score > 1.0) * 1.0
    told = paired_tpr_difference(score, votes, members, 0.05, 1, draws=400)
    caught = (votes[members] == 1).sum() / 80, (votes[~members] == 1).sum()
    assert told.second == pytest.approx(caught[0] * 5 / caught[1])
    assert told.low <= told.difference <= told.high


def test_a_rate_finer_than_the_nonmembers_is_refused():
    with pytest.raises(UnusableScores, match="too few for a rate"):
        paired_tpr_difference(np.arange(20.0), np.arange(20.0), np.arange(20) < 10, 0.05, 1)

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from tuni.errors import UnusableScores
from tuni.statistics.p_values import (
    EVIDENCE,
    NO_EVIDENCE,
    accused_once,
    conformal_p,
    q_values,
    quantise,
    quantum,
    series_p,
    smallest_findable,
    smallest_p,
    summed_p,
    verdict_words,
    within_row,
)

reals = st.floats(-1e6, 1e6, width=32)
some = st.lists(reals, min_size=1, max_size=40)
p_values = st.lists(st.floats(0.0, 1.0), max_size=40)


# Conformal p-values: on a grid, so that lists have ties.
ranked_p = st.lists(st.integers(1, 60).map(lambda rank: rank / 60), max_size=200)
dependences = st.sampled_from(["bh", "by"])


def adjusted(p, dependence="bh") -> np.ndarray:
    """q-values of a list, text by text."""
    q = q_values(Counter(p), dependence)
    return np.array([q[value] for value in p])


def stepped_up(p, dependence) -> np.ndarray:
    """The step-up rule over the whole list, as it is written in the paper."""
    values, n = np.array(p, dtype=np.float64), len(p)
    factor = 1.0 if dependence == "bh" else float(np.sum(1.0 / np.arange(1, n + 1)))
    order = np.argsort(-values, kind="stable")
    q = np.empty(n)
    q[order] = np.minimum.accumulate(values[order] * n / np.arange(n, 0, -1) * factor)
    return np.minimum(q, 1.0)


@given(some, some)
def test_p_is_the_share_of_calibration_scores_at_least_as_high(scores, calibration):
    brute = [(1 + sum(c >= s for c in calibration)) / (1 + len(calibration)) for s in scores]
    np.testing.assert_array_equal(conformal_p(scores, calibration), brute)


@given(some, some)
def test_a_higher_score_never_has_a_larger_p(scores, calibration):
    p = conformal_p(np.sort(scores), calibration)
    assert (np.diff(p) <= 0.0).all()
    assert p.min() >= 1.0 / (len(calibration) + 1)
    assert p.max() <= 1.0


@given(some, some, st.randoms(use_true_random=False))
def test_p_does_not_depend_on_the_order_of_the_rows(scores, calibration, random):
    rows = list(range(len(scores)))
    random.shuffle(rows)
    shuffled = calibration[:]
    random.shuffle(shuffled)
    p = conformal_p(scores, calibration)
    np.testing.assert_array_equal(conformal_p(np.array(scores)[rows], shuffled), p[rows])


def test_a_tie_counts_against_an_accusation():
    assert conformal_p([1.0], [1.0] * 19) == [1.0]
    assert conformal_p([2.0], [1.0] * 19) == [0.05]


def test_p_values_of_exchangeable_scores_are_valid():
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(4000, 40))
    p = np.array([conformal_p(row[:1], row[1:])[0] for row in drawn])
    for level in (0.025, 0.05, 0.1, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_and_its_row_named(bad):
    with pytest.raises(UnusableScores, match="row 2"):
        conformal_p([0.0, bad], [1.0])
    with pytest.raises(UnusableScores, match="calibration"):
        conformal_p([0.0], [1.0, bad])


def test_missing_and_misshapen_scores_are_refused():
    with pytest.raises(UnusableScores, match="at least 1"):
        conformal_p([0.0], [])
    with pytest.raises(UnusableScores, match="shape"):
        conformal_p([[0.0]], [1.0])


@given(some)
def test_the_grid_step_is_a_power_of_two_next_to_a_ten_thousandth_of_the_spread(scores):
    step = quantum(scores)
    assert np.frexp(step)[0] == 0.5
    low, high = np.quantile(scores, [0.25, 0.75])
    spread = (high - low) / 1.349 or np.std(scores)
    if spread > 1e-6 * np.abs(scores).max():
        assert 0.7 <= step / (1e-4 * spread) <= 1.42


@given(some, some)
def test_rounding_to_the_grid_keeps_the_order_and_is_idempotent(scores, calibration):
    step = quantum(calibration)
    on_grid = quantise(np.sort(scores), step)
    assert (np.diff(on_grid) >= 0.0).all()
    np.testing.assert_array_equal(quantise(on_grid, step), on_grid)
    assert (np.abs(on_grid - np.sort(scores)) <= step / 2).all()


@pytest.mark.parametrize("scores", [[0.0, 0.0], [5.0], [1e300, -1e300], [1e-300, 2e-300], [3e-310]])
def test_a_grid_exists_for_equal_huge_and_tiny_scores(scores):
    step = quantum(scores)
    assert np.isfinite(step)
    assert step > 0.0
    assert np.isfinite(quantise([*scores, 1e308, -1e308], step)).all()


def test_last_bits_cannot_part_equal_scores():
    """Shares of votes summed in another order differ in the last bit, and are still a tie."""
    votes = np.array([0.1 + 0.2, 0.3])
    assert votes[0] != votes[1]
    calibration = np.repeat([0.0, 0.1, 0.3, 0.4], 25)
    p = conformal_p(
        quantise(votes, quantum(calibration)), quantise(calibration, quantum(calibration))
    )
    assert p[0] == p[1]


def test_noise_of_a_millionth_hardly_moves_a_verdict():
    """Measured on 200,000 scores: 1 p-value in 4,400 moves, by one rank; no verdict flips."""
    rng = np.random.default_rng(0)
    calibration = rng.normal(size=2000)
    step = quantum(calibration)
    decoys = quantise(calibration, step)
    scores = rng.normal(1.0, 1.0, size=10_000)
    noisy = scores * (1.0 + 1e-6 * rng.normal(size=len(scores)))
    before, after = (conformal_p(quantise(s, step), decoys) for s in (scores, noisy))
    assert (before != after).mean() < 0.002
    assert ((before <= 0.05) != (after <= 0.05)).sum() <= 1


@given(p_values)
def test_q_values_agree_with_scipy(p):
    if not p:
        assert q_values({}) == {}
        return
    for method in ("bh", "by"):
        np.testing.assert_allclose(
            adjusted(p, method), false_discovery_control(p, method=method), rtol=1e-12
        )


@given(ranked_p | p_values, dependences)
def test_q_values_from_levels_are_those_of_the_whole_list_to_the_last_bit(p, dependence):
    np.testing.assert_array_equal(adjusted(p, dependence), stepped_up(p, dependence))


@given(p_values, st.sampled_from([0.01, 0.05, 0.2]))
def test_q_at_most_the_level_marks_what_the_step_up_rule_rejects(p, level):
    ranked = sorted(p)
    last = max((k for k in range(1, len(p) + 1) if ranked[k - 1] * len(p) / k <= level), default=0)
    rejected = [last > 0 and value <= ranked[last - 1] for value in p]
    np.testing.assert_array_equal(adjusted(p) <= level, rejected)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_what_is_no_p_value_is_refused(bad):
    for function in (lambda p: q_values({p: 1}), lambda p: verdict_words([p], 0.05)):
        with pytest.raises(UnusableScores):
            function(bad)


def test_a_level_that_no_text_has_is_refused():
    with pytest.raises(UnusableScores, match="below 1"):
        q_values({0.5: 3, 0.25: 0})


@given(st.integers(1, 60), st.integers(1, 3000), st.sampled_from([0.05, 0.1, 0.01]))
def test_smallest_findable_is_what_the_rule_itself_finds(n_list, n_decoys, level):
    def finds(k: int) -> bool:
        p = np.ones(n_list)
        p[:k] = 1.0 / (n_decoys + 1)
        return bool((adjusted(p.tolist()) <= level).any())

    smallest = smallest_findable(n_list, n_decoys, level)
    assert smallest == next((k for k in range(1, n_list + 1) if finds(k)), n_list + 1)


def test_verdicts_are_about_the_operating_point_itself():
    assert verdict_words([0.01, 0.05, 0.0501, 1.0], 0.05) == [
        EVIDENCE, EVIDENCE, NO_EVIDENCE, NO_EVIDENCE,
    ]  # fmt: skip


@pytest.mark.parametrize("correlation", [0.0, 0.8, 0.999])
@pytest.mark.parametrize("audits", [2, 12])
def test_a_p_of_a_series_is_valid_however_its_audits_depend(audits, correlation):
    rng = np.random.default_rng(audits)
    common, own = rng.normal(size=(20_000, 1)), rng.normal(size=(20_000, audits))
    scores = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    p = norm.sf(scores)
    told = series_p(p.mean(axis=1), np.full(20_000, audits))
    assert (told <= 0.05).mean() <= 0.05
    assert (p <= 0.05).any(axis=1).mean() == pytest.approx(
        accused_once(audits, 0.05, correlation), abs=0.01
    )


def test_a_series_of_one_audit_is_that_audit_and_a_member_stays_found():
    assert series_p([0.03, 0.02, 0.9], [1, 12, 12]).tolist() == [0.03, 0.04, 1.0]
    assert accused_once(1, 0.05) == pytest.approx(0.05, abs=1e-3)
    assert accused_once(12, 0.05) == pytest.approx(0.162, abs=2e-3)
    with pytest.raises(UnusableScores):
        series_p([1.2], [1])


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_one_p_of_a_row_holds_however_its_texts_depend(correlation):
    rng = np.random.default_rng(11)
    shape = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)

    def rows(n):
        return rng.multivariate_normal(np.zeros(3), shape, size=n)

    level, draws = 0.05, 400
    summed = np.concatenate([summed_p(rows(50), rows(199)) for _ in range(draws)])
    decoys = np.sort(rows(199 * draws)[:, 0])
    alone = conformal_p(rows(50 * draws).ravel(), decoys).reshape(-1, 3)
    expected = abs(np.mean(summed <= level) - level)
    assert expected < 0.004
    assert np.mean(smallest_p(alone) <= level) < level + 0.004
    named = [within_row(dict(zip("abc", row, strict=True))) for row in alone[:4000].tolist()]
    assert np.mean([min(row.values()) <= level for row in named]) < level + 0.01


def test_the_texts_of_a_row_count_together():
    decoys = np.zeros((99, 2))
    assert summed_p([[1.0, -1.0], [1.0, 0.5], [-1.0, 0.5]], decoys).tolist() == [1.0, 0.01, 1.0]
    with pytest.raises(UnusableScores, match="rows: of shape"):
        summed_p([[1.0]], decoys)


def test_within_a_row_each_p_is_paid_for():
    assert within_row({"a": 0.01, "b": 0.02, "c": 0.5}) == {"a": 0.03, "b": 0.04, "c": 0.5}
    assert within_row({"a": 0.6, "b": 0.4}) == {"b": 0.8, "a": 0.8}
    assert smallest_p([[0.2, 0.9], [0.6, 0.7]]).tolist() == [0.4, 1.0]

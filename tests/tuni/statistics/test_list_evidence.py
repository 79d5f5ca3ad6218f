"""Evidence about a whole list: bound on its members, and the share that the model treats so."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from tuni.errors import UnusableScores
from tuni.statistics.intervals import rate
from tuni.statistics.list_evidence import ALLOWANCE, list_evidence, members_at_least
from tuni.statistics.p_values import conformal_p

POINT = 0.05
LEVELS = st.dictionaries(
    st.sampled_from([1 / 100, 3 / 100, 5 / 100, 6 / 100, 0.3, 0.8, 1.0]),
    st.integers(1, 20),
    min_size=1,
)


def brute_force(levels: dict[float, int], calibrated: int, rate_: float) -> int:
    """The definition, number by number, with the beta-binomial law summed exactly."""
    n = sum(levels.values())
    small = sum(count for p, count in levels.items() if p <= POINT)
    shape = (rate_ * (calibrated + 1), (1 - rate_) * (calibrated + 1))
    for strangers in range(n, 0, -1):
        needed = small - (n - strangers)
        if (
            needed <= 0
            or betabinom.pmf(range(needed, strangers + 1), strangers, *shape).sum() > 0.05
        ):
            return n - strangers
    return n


@settings(max_examples=25)
@given(LEVELS, st.sampled_from([0.05, 0.07, 0.2]))
def test_bound_is_that_of_the_exact_law_or_one_below(
    levels: dict[float, int], allowed: float
) -> None:
    exact = brute_force(levels, 99, allowed)
    assert exact - 1 <= members_at_least(levels, 99, POINT, allowed) <= exact


@settings(max_examples=40)
@given(LEVELS, st.sampled_from([0.0, 0.01, 0.05]), st.sampled_from([0.02, 0.1, 0.2]))
def test_a_larger_allowance_never_claims_more(
    levels: dict[float, int], one: float, other: float
) -> None:
    less, more = sorted([POINT + one, POINT + other])
    assert members_at_least(levels, 500, POINT, more) <= members_at_least(levels, 500, POINT, less)


@settings(max_examples=40)
@given(LEVELS, st.sampled_from([0.01, 0.3]))
def test_one_more_text_never_moves_the_bound_by_more_than_itself(
    levels: dict[float, int], p: float
) -> None:
    before = members_at_least(levels, 500, POINT, 0.07)
    after = members_at_least({**levels, p: levels.get(p, 0) + 1}, 500, POINT, 0.07)
    assert 0 <= after - before <= 1 if p <= POINT else -1 <= after - before <= 0


@settings(max_examples=40)
@given(LEVELS)
def test_evidence_is_within_the_list_and_its_ends_are_in_order(levels: dict[float, int]) -> None:
    told = list_evidence(levels, 500, POINT)
    assert 0 <= told.at_least <= told.texts == sum(levels.values())
    assert 0.0 <= told.seen_low <= told.seen <= told.seen_high <= 1.0
    assert told.seen_low <= told.at_least / told.texts


def test_innocent_lists_are_rarely_said_to_hold_members_also_where_the_null_is_off() -> None:
    generator = np.random.default_rng(5)
    claimed = {0.0: 0, ALLOWANCE: 0}
    unguarded = 0
    for _ in range(150):
        decoys = np.sort(generator.uniform(size=2000))
        for off in claimed:
            scores = generator.uniform(size=500)
            scores[: round(500 * off)] = 1.1  # so many strangers more lie above every decoy
            levels = Counter(conformal_p(scores, decoys).tolist())
            claimed[off] += members_at_least(levels, 2000, POINT, POINT + ALLOWANCE) > 0
            if off:
                unguarded += members_at_least(levels, 2000, POINT, POINT) > 0
    assert claimed[0.0] == 0
    assert claimed[ALLOWANCE] <= 15  # P(more at a rate of 5 %) < .01
    assert unguarded >= 45


def test_bound_finds_members_that_no_single_name_shows() -> None:
    levels = {0.04: 70, 0.5: 430}
    assert list_evidence(levels, 2000, POINT).at_least > 10


def test_known_nonmembers_decide_what_is_allowed_and_are_counted() -> None:
    levels = {0.01: 60, 0.5: 340}
    stated = list_evidence(levels, 2000, POINT)
    few = list_evidence(levels, 2000, POINT, rate(1, 30))
    many = list_evidence(levels, 2000, POINT, rate(40, 1000))
    assert (stated.stranger_fpr, stated.known_nonmembers) == (POINT + ALLOWANCE, 0)
    assert few.stranger_fpr == rate(1, 30).high
    assert (few.known_nonmembers, many.known_nonmembers) == (30, 1000)
    assert few.at_least < stated.at_least < many.at_least
    assert few.at_least_stated == many.at_least_stated == stated.at_least


def test_very_long_list_costs_no_more_than_its_table() -> None:
    told = list_evidence({0.001: 60_000, 0.6: 940_000}, 20_000, POINT, rate(100, 3000))
    assert 0 < told.at_least < 60_000


@pytest.mark.parametrize("levels", [{}, {1.2: 3}, {0.5: 0}, {float("nan"): 1}])
def test_what_are_no_p_values_is_refused(levels: dict[float, int]) -> None:
    with pytest.raises(UnusableScores):
        list_evidence(levels, 100, POINT)

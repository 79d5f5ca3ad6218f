"""Counts as they may be told to others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuni.statistics.suppression import SMALLEST_SHARED, hidden_bins, shared_groups


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 20), max_size=6))
def test_what_is_hidden_of_a_whole_is_nobody_or_at_least_five(sizes: dict[str, int]) -> None:
    shown = shared_groups(sizes)
    hidden = sum(count for name, count in sizes.items() if name not in shown)
    assert all(sizes[name] >= SMALLEST_SHARED for name in shown)
    assert hidden == 0 or hidden >= SMALLEST_SHARED or not shown


def test_a_group_joins_a_small_one_that_would_follow_from_the_others() -> None:
    assert shared_groups({"a": 20, "b": 10, "c": 3}) == {"a"}
    assert shared_groups({"a": 20, "b": 3, "c": 3}) == {"a"}
    assert shared_groups({"a": 20, "b": 10}) == {"a", "b"}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_hidden_bins_hold_nobody_or_at_least_five(counts: list[int]) -> None:
    hidden = hidden_bins(np.array(counts, dtype=np.int64))
    told = [count for count, hide in zip(counts, hidden, strict=True) if not hide]
    assert not any(0 < count < SMALLEST_SHARED for count in told)
    rest = sum(counts) - sum(told)
    assert rest == 0 or rest >= SMALLEST_SHARED or not any(told)

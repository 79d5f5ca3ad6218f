"""One seed in, independent seeds out."""

from hypothesis import given
from hypothesis import strategies as st

from tuni.hashing import derive_seed

SEEDS = st.integers(0, 2**31 - 1)


@given(SEEDS, st.text())
def test_a_seed_is_a_seed_again_and_the_same_each_time(seed, purpose):
    assert 0 <= derive_seed(seed, purpose) < 2**31
    assert derive_seed(seed, purpose) == derive_seed(seed, purpose)


def test_seeds_and_purposes_do_not_run_into_each_other():
    made = {derive_seed(seed, purpose) for seed in range(50) for purpose in ("decoys", "control")}
    assert len(made) == 100


def test_a_seed_does_not_change_between_versions():
    assert derive_seed(0, "decoys") == 1_488_999_452

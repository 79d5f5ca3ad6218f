import numpy as np
import pytest
from scipy.stats import norm

from tuni.errors import RequestError, TooFewTexts, UnusableScores
from tuni.statistics.label_free import HalvedP, label_free_choice
from tuni.statistics.p_values import conformal_p


def study(seed, *, listed=500, share=0.3, trials=30, truth=0.9, best=None, misfit=0.0):
    """p-values by equally good trials, but for the last; the one before it feels the misfit."""
    rng = np.random.default_rng(seed)
    members = rng.random(listed) < share
    bases = [rng.normal(size=size) for size in (listed, 500, 300)]
    made = {}
    for trial in range(trials):
        level = best if best is not None and trial == trials - 1 else truth
        off = misfit if trial == trials - 2 else 0.0
        texts, decoys, control = (
            0.7 * base + np.sqrt(1 - 0.49) * rng.normal(size=len(base)) for base in bases
        )
        texts += members * norm.ppf(level) * np.sqrt(2) + off
        control += off
        made[trial] = HalvedP(
            list_first=conformal_p(texts[::2], decoys[::2]),
            list_second=conformal_p(texts[1::2], decoys[1::2]),
            control_first=conformal_p(control[::2], decoys[::2]),
            control_second=conformal_p(control[1::2], decoys[1::2]),
        )
    return made


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_lucky_trials_almost_never_replace_a_default_that_is_as_good(share):
    choices = [label_free_choice(study(seed, share=share), 0, 250) for seed in range(25)]
    assert sum(choice.replaced for choice in choices) <= 1


def test_a_trial_that_finds_far_more_of_the_list_replaces_the_default():
    choices = [
        label_free_choice(study(s, share=0.5, truth=0.8, best=0.97), 0, 250) for s in range(8)
    ]
    # The control refuses a sound trial in 5 % of cases; then the default stays.
    assert {choice.chosen for choice in choices} <= {0, 29}
    assert sum(choice.chosen == 29 for choice in choices) >= 7


def test_a_trial_that_only_feels_the_misfit_of_the_decoys_is_refused():
    choices = [label_free_choice(study(seed, misfit=1.5), 0, 250) for seed in range(8)]
    assert all(choice.chosen != 28 and choice.refused >= 1 for choice in choices)
    assert "the gain also shows where nobody is a member" in {choice.reason for choice in choices}


def test_without_the_control_that_trial_would_win():
    blinded = {}
    for trial, p in study(0, misfit=1.5).items():
        quiet = np.ones(150)
        blinded[trial] = HalvedP(p.list_first, p.list_second, quiet, quiet)
    assert label_free_choice(blinded, 0, 250).chosen == 28


def test_a_default_that_fails_its_control_stays_and_says_so():
    trials = study(0, trials=2)
    trials[0] = HalvedP(
        trials[0].list_first, trials[0].list_second, np.full(150, 0.01), np.full(150, 0.01)
    )
    choice = label_free_choice({0: trials[0]}, 0, 250)
    assert (choice.chosen, choice.default_passes, choice.refused) == (0, False, 1)
    assert choice.default_control == pytest.approx(0.95)


def test_a_short_list_chooses_nothing():
    choice = label_free_choice(study(0, listed=30, best=0.999, truth=0.6), 0, 250)
    assert choice.reason == "too few texts to tell"


def test_what_does_not_fit_together_is_refused():
    trials = study(0, trials=3)
    with pytest.raises(RequestError):
        label_free_choice(trials, 9, 250)
    with pytest.raises(TooFewTexts, match="search decoys"):
        label_free_choice(trials, 0, 10)
    first = trials[1]
    short = HalvedP(first.list_first[:-1], first.list_second, *[first.control_first] * 2)
    with pytest.raises(UnusableScores, match="differ in length"):
        label_free_choice(trials | {1: short}, 0, 250)
    empty = HalvedP(*[np.array([])] * 4)
    with pytest.raises(TooFewTexts, match="empty"):
        label_free_choice({0: empty}, 0, 250)


def test_a_default_that_finds_nearly_all_leaves_no_room_for_the_margin():
    assert label_free_choice(study(1), 0, 250).open
    assert not label_free_choice(study(1, share=1.0, truth=0.9999999, trials=2), 0, 250).open
    assert not label_free_choice(study(1, listed=30, trials=2), 0, 250).open  # too few texts

import numpy as np
import pytest
from faker import Faker
from scipy.stats import norm

from tuni.errors import TooFewTexts, UnusableScores
from tuni.statistics.roc import auc
from tuni.statistics.spelling import (
    DECOY_BOUND,
    PAIRED,
    blind_gate,
    blind_scores,
    decoy_check,
    pairing_p,
)
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

NAME = text_kind("name")

CULTURES = ("de_DE", "fr_FR", "pl_PL", "tr_TR", "es_ES")


def names(n: int, seed: int, *locales: str) -> list[str]:
    """Distinct genuine pairs, as many of each locale, in an order of chance."""
    drawn: dict[str, str] = {}
    for place, locale in enumerate(locales):
        fake = Faker(locale)
        fake.seed_instance(1000 * seed + place)
        goal = -(-n * (place + 1) // len(locales))
        while len(drawn) < goal:
            text = f"{fake.first_name()} {fake.last_name()}"
            drawn.setdefault(canonical(text), text)
    texts = list(drawn.values())
    np.random.default_rng(seed).shuffle(texts)
    return texts[:n]


def detector(members: np.ndarray, seed: int, truth: float = 0.97) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(members))
    return noise + members * norm.ppf(truth) * np.sqrt(2)


def shifted(n: int, seed: int, ours: str, theirs: str) -> tuple[list[str], np.ndarray]:
    texts = list(dict.fromkeys([*names(n, seed, ours), *names(n, seed + 50, theirs)]))
    return texts, np.arange(len(texts)) < n


def cultures(n: int, seed: int, *, paired: bool) -> list[str]:
    """Names of two invented cultures, first and last parts of one, or of either, going together."""
    rng = np.random.default_rng(seed)
    vowels, ends = ("aeiou", "yaoeu"), (("nen", "ola", "iko"), ("bski", "czyk", "rzak"))

    def part(culture: int, which: int) -> str:
        middle = "".join(
            rng.choice(list("klmnprst")) + rng.choice(list(vowels[culture])) for _ in range(2)
        )
        return f"{middle}{rng.choice(list(ends[culture]))}".title() + ("" if which else "a")

    names: dict[str, None] = {}
    while len(names) < n:
        first = int(rng.integers(2))
        last = first if paired else int(rng.integers(2))
        names[f"{part(first, 0)} {part(last, 1)}"] = None
    return list(names)


def test_pairing_within_cultures_is_seen_where_single_parts_cannot_show_it():
    told = [pairing_p(cultures(80, seed, paired=True), NAME, seed) for seed in range(5)]
    assert max(told) <= PAIRED


@pytest.mark.parametrize(
    ("samples", "most"), [(40, 7), pytest.param(400, 32, marks=pytest.mark.slow)]
)
def test_names_that_are_paired_at_random_are_seldom_said_to_be_paired(samples, most):
    told = [pairing_p(cultures(40, seed, paired=False), NAME, seed) for seed in range(samples)]
    assert sum(p <= PAIRED for p in told) <= most  # 5 %, the 99.9 % quantile


def test_few_names_say_nothing_about_pairing_and_order_moves_nothing():
    names = cultures(60, 0, paired=True)
    assert pairing_p(names[:19], NAME, 0) is None
    assert pairing_p([*names[::-1], "Cher"], NAME, 0) == pairing_p(names, NAME, 0)


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(5), marks=pytest.mark.slow)])
def test_the_gate_is_quiet_on_names_of_one_kind(seeds):
    """30 + 30 labels, detector at .97: 1 of 495 draws trips when measured in bulk."""
    members = np.arange(60) < 30
    gates = [
        blind_gate(detector(members, seed), names(60, seed, *locales), members, NAME, seed)
        for seed in seeds
        for locales in (("de_DE",), CULTURES)
    ]
    assert sum(gate.tripped for gate in gates) <= 1
    assert 0.35 < np.mean([gate.blind_auc for gate in gates]) < 0.6


@pytest.mark.parametrize(("ours", "theirs"), [("de_DE", "fr_FR"), ("pl_PL", "tr_TR")])
@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(4), marks=pytest.mark.slow)])
def test_the_gate_trips_where_members_come_from_another_locale(ours, theirs, seeds):
    """Even for a detector at .99, whose lead over spelling is beyond doubt."""
    gates = []
    for seed in seeds:
        texts, members = shifted(30, seed, ours, theirs)
        gates.append(blind_gate(detector(members, seed, 0.99), texts, members, NAME, seed))
    assert all(gate.tripped for gate in gates)
    assert all("spelling" in gate.reason for gate in gates)


def test_a_few_labels_show_that_members_are_of_one_culture_among_many():
    """Letters alone reach .71 to .93 here: lists know what thirty labels cannot teach."""
    for seed in range(2):
        ours = names(24, seed, "en_US")
        theirs = names(30, seed + 50, "de_DE", "fr_FR", "es_ES", "it_IT")
        texts = list(dict.fromkeys([*ours, *theirs]))
        members = np.arange(len(texts)) < len(ours)
        scores = blind_scores(texts, members, NAME, seed)
        assert auc(scores[members], scores[~members]) > 0.9


def test_the_gate_trips_for_a_detector_at_chance():
    texts, members = names(60, 3, *CULTURES), np.arange(60) < 30
    gate = blind_gate(detector(members, 0, 0.5), texts, members, NAME, 0)
    assert gate.tripped
    assert gate.low <= 0.0


def test_rows_may_come_in_any_order():
    texts, members = shifted(20, 0, "de_DE", "fr_FR")
    scores = detector(members, 0)
    rows = np.random.default_rng(0).permutation(len(texts))
    moved = [texts[row] for row in rows]
    np.testing.assert_array_equal(
        blind_scores(texts, members, NAME, 7)[rows], blind_scores(moved, members[rows], NAME, 7)
    )
    assert blind_gate(scores, texts, members, NAME, 7) == blind_gate(
        scores[rows], moved, members[rows], NAME, 7
    )


def test_a_text_is_not_scored_by_a_classifier_that_saw_it():
    """Labels drawn by lot cannot be predicted; a classifier that saw them would reach 1."""
    texts = names(80, 5, *CULTURES)
    members = np.random.default_rng(0).permutation(np.arange(80) < 40)
    scores = blind_scores(texts, members, NAME, 0)
    assert auc(scores[members], scores[~members]) < 0.7


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(TooFewTexts, match="needs 5"):
        blind_scores(names(20, 0, "de_DE"), np.arange(20) < 4, NAME, 0)
    with pytest.raises(UnusableScores):
        blind_scores(names(20, 0, "de_DE"), np.arange(19) < 9, NAME, 0)


@pytest.mark.parametrize("locales", [("de_DE",), ("en_US",), CULTURES])
@pytest.mark.parametrize("n", [30, 200])
def test_recombined_decoys_pass_although_they_share_every_part_with_the_list(n, locales):
    listed = names(n, 1, *locales)
    decoys = NAME.pool(listed, 600).recombine(600, 0, frozenset(map(canonical, listed)))
    check = decoy_check(listed, decoys, NAME, 0)
    assert check.checked
    assert not check.tripped
    assert 0.3 < check.auc < 0.75


@pytest.mark.parametrize("n", [30, 200])
def test_decoys_of_another_locale_are_caught(n):
    check = decoy_check(names(n, 1, "de_DE"), names(500, 2, "fr_FR"), NAME, 0)
    assert check.tripped
    assert check.low > check.bound == DECOY_BOUND


def test_decoys_of_the_same_locale_pass():
    assert not decoy_check(names(200, 1, "de_DE"), names(500, 2, "de_DE"), NAME, 0).tripped


def test_the_check_does_not_depend_on_the_order_of_the_rows():
    listed, decoys = names(60, 1, *CULTURES), names(300, 2, "de_DE")
    assert decoy_check(listed, decoys, NAME, 4) == decoy_check(listed[::-1], decoys[::-1], NAME, 4)


def test_a_list_too_short_to_tell_is_not_checked():
    check = decoy_check(names(19, 1, "de_DE"), names(300, 2, "fr_FR"), NAME, 0)
    assert (check.checked, check.tripped, check.listed) == (False, False, 19)


def test_a_family_of_one_name_cannot_be_checked_without_its_own_name():
    firsts = [text.split()[0] for text in names(40, 1, "de_DE")]
    listed = list(dict.fromkeys(f"{first} Hollenbach" for first in firsts))
    decoys = list(dict.fromkeys(f"{text.split()[0]} Hollenbach" for text in names(90, 2, "fr_FR")))
    assert not decoy_check(listed, decoys, NAME, 0).checked


def test_texts_of_one_part_are_checked_too():
    lone = [text.split()[1] for text in names(200, 1, "de_DE")]
    other = [text.split()[1] for text in names(200, 2, "tr_TR")]
    assert decoy_check(lone, other, NAME, 0).tripped
    assert not decoy_check(lone[::2], lone[1::2], NAME, 0).tripped

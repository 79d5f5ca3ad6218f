"""Who is in a testbed."""

from collections import Counter

import numpy as np
import open_clip
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tuni.bench.testbed import TestbedSettings
from tuni.bench.testbed.models import build_model
from tuni.bench.testbed.people import WELL_KNOWN, Person, draw_parts, draw_people
from tuni.errors import RequestError, TooFewTexts
from tuni.statistics.roc import auc
from tuni.texts.names import parse_name
from tuni.texts.text import canonical, refusal

FULL = TestbedSettings.of_size("full", 1)
TEST = TestbedSettings.of_size("test", 1)


def people_of(settings: TestbedSettings) -> tuple[Person, ...]:
    return draw_people(settings, settings.rng("people"))


@pytest.fixture(scope="module")
def full() -> tuple[Person, ...]:
    return people_of(FULL)


def test_groups_have_the_sizes_and_captions_that_were_asked(full: tuple[Person, ...]) -> None:
    groups = Counter(person.group for person in full)
    assert groups["stranger"] == FULL.strangers >= 700
    assert groups["hard"] == FULL.hard >= 200
    for group, asked in (("member", FULL.members), ("background", FULL.background)):
        assert Counter(p.captions for p in full if p.group == group) == dict(asked)
    counts = dict(FULL.members)
    assert set(counts) == {1, 2, 5, 10, 20, 50}
    assert min(counts[5], counts[10], counts[20]) >= 60
    assert all(p.captions == 0 for p in full if p.group in ("stranger", "hard"))


def test_nobody_stands_in_two_groups(full: tuple[Person, ...]) -> None:
    assert len({canonical(person.text) for person in full}) == len(full)


def test_every_part_of_an_untrained_name_was_trained(full: tuple[Person, ...]) -> None:
    trained = [p for p in full if p.member]
    firsts, lasts = {p.first for p in trained}, {p.last for p in trained}
    for person in full:
        assert person.first in firsts
        assert person.last in lasts


def test_names_are_genuine_pairs_of_one_culture(full: tuple[Person, ...]) -> None:
    pools = draw_parts(FULL, FULL.rng("people"))
    for person in full:
        firsts, lasts = pools[person.culture]
        assert person.first in firsts
        assert person.last in lasts
    assert set(Counter(p.culture for p in full)) == set(FULL.cultures)


def test_hard_negatives_join_two_well_known_members(full: tuple[Person, ...]) -> None:
    known = [p for p in full if p.group == "member" and p.captions >= WELL_KNOWN]
    firsts, lasts = {p.first for p in known}, {p.last for p in known}
    assert all(p.first in firsts and p.last in lasts for p in full if p.group == "hard")


def test_each_part_is_about_as_frequent_among_members_as_among_strangers(
    full: tuple[Person, ...],
) -> None:
    for group in ("member", "stranger"):
        chosen = [p for p in full if p.group == group]
        for part in ("first", "last"):
            counts = Counter((p.culture, getattr(p, part)) for p in chosen)
            assert max(counts.values()) - min(counts.values()) <= 2


def test_names_survive_the_product_s_cleaning_as_first_and_last_name(
    full: tuple[Person, ...],
) -> None:
    for person in full:
        name = parse_name(person.text)
        assert refusal(person.text) is None
        assert (name.first, name.last) == (person.first, person.last)


def test_most_names_tell_their_culture(full: tuple[Person, ...]) -> None:
    told = [parse_name(p.text).locale == p.culture for p in full]
    assert np.mean(told) > 0.8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_norm_of_token_embeddings_does_not_separate_members_from_strangers(seed: int) -> None:
    settings = TestbedSettings.of_size("full", seed)
    # The table is frozen (test_build checks it), so the untrained model has the trained one's.
    table = build_model(settings).token_embedding.weight.norm(dim=1).numpy()
    tokenizer = open_clip.SimpleTokenizer()

    def norms(group: str) -> list[float]:
        texts = [p.text for p in people_of(settings) if p.group == group]
        return [float(table[tokenizer.encode(text)].mean()) for text in texts]

    assert 0.45 < auc(norms("member"), norms("stranger")) < 0.55


def test_equal_seeds_give_equal_people_and_other_seeds_others() -> None:
    assert people_of(TEST) == people_of(TEST)
    assert people_of(TEST) != people_of(TestbedSettings.of_size("test", 2))


@hypothesis_settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_any_seed_gives_a_closed_vocabulary_at_every_size(seed: int) -> None:
    people = people_of(TestbedSettings.of_size("test", seed))
    trained = [p for p in people if p.member]
    assert {p.first for p in people} == {p.first for p in trained}
    assert {p.last for p in people} == {p.last for p in trained}


def test_more_people_than_pairs_are_refused() -> None:
    with pytest.raises(TooFewTexts):
        people_of(TestbedSettings(parts=6))


def test_lists_longer_than_the_people_are_refused() -> None:
    with pytest.raises(RequestError):
        TestbedSettings(watch_members=10_000)


def test_every_setting_moves_the_hash() -> None:
    assert TestbedSettings(seed=1).hash != TestbedSettings(seed=2).hash
    assert TestbedSettings(epochs=3).hash != TestbedSettings(epochs=4).hash
    assert TestbedSettings.of_size("full", 1).hash == TestbedSettings(seed=1).hash

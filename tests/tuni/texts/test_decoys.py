import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.errors import TooFewTexts
from tuni.texts.decoys import PartPool
from tuni.texts.faker_decoys import faker_decoys
from tuni.texts.kind import text_kind
from tuni.texts.names import parse_name
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical

NAME = text_kind("name")
ENGLISH = reference_parts("latin/en_US", 30)
GERMAN = reference_parts("latin/de_DE", 30)


def pairs(parts):
    """Names of one locale that are recognised as such."""
    names = [f"{a} {b}" for a, b in zip(parts.firsts, parts.lasts, strict=True)]
    return [name for name in names if parse_name(name).stratum == parts.stratum]


LIST = [
    *pairs(ENGLISH)[:25],
    *pairs(GERMAN)[:25],
    *("王伟", "李娜", "张敏", "刘洋", "陈静"),
    *("Madonna", "Prince"),
]
NOTHING: frozenset[str] = frozenset()
MAKERS = [
    lambda texts, n, seed, forbidden: PartPool.of(texts).recombine(n, seed, forbidden),
    lambda texts, n, seed, forbidden: NAME.pool(texts, n).recombine(n, seed, forbidden),
    lambda texts, n, seed, forbidden: PartPool.of(texts).across_strata(n, seed, forbidden),
    lambda texts, n, seed, forbidden: PartPool.of(texts).lone_parts(n, seed, forbidden),
    lambda texts, n, seed, forbidden: faker_decoys(
        texts, n, seed, forbidden, lambda some: [len(text) for text in some]
    ),
]
NAMES = ["recombine", "of a topped-up pool", "across_strata", "lone_parts", "faker_decoys"]
maker = pytest.mark.parametrize("make", MAKERS, ids=NAMES)


@maker
@given(st.lists(st.sampled_from(LIST), min_size=4, unique=True), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_decoys_never_meet_the_list_the_forbidden_or_each_other(make, some, seed) -> None:
    if not any(parse_name(text).last for text in some):
        return
    forbidden = frozenset(canonical(text) for text in make(some, 20, seed + 100, NOTHING))
    decoys = make(some, 60, seed, forbidden)
    keys = {canonical(text) for text in decoys}
    assert len(keys) == len(decoys) <= 60
    assert not keys & forbidden
    assert not keys & {canonical(text) for text in some}


@maker
def test_decoys_depend_on_the_set_of_texts_and_the_seed_alone(make) -> None:
    shuffled = LIST * 2
    random.Random(1).shuffle(shuffled)
    assert make(shuffled, 100, 7, NOTHING) == make(LIST, 100, 7, NOTHING)
    assert make(LIST, 100, 8, NOTHING) != make(LIST, 100, 7, NOTHING)


def test_recombined_parts_stay_within_their_stratum() -> None:
    pool = PartPool.of(LIST)
    allowed = {
        entry.text(first, last)
        for entry in pool.strata.values()
        for first in entry.firsts
        for last in entry.lasts
    }
    assert set(pool.recombine(1000, 0, NOTHING)) <= allowed


def test_recombination_shares_out_by_the_size_of_the_strata() -> None:
    decoys = PartPool.of(LIST).recombine(110, 0, NOTHING)
    scripts = Counter(parse_name(text).script for text in decoys)
    assert scripts == {"latin": 100, "han": 10}


def test_part_frequency_follows_the_list() -> None:
    firsts = ["Ada"] * 40 + ["Bea"] * 20 + [f"Given{index}" for index in range(140)]
    decoys = PartPool.of(
        [f"{first} Family{index}" for index, first in enumerate(firsts)]
    ).recombine(400, 0, NOTHING)
    counts = Counter(text.split(" ")[0] for text in decoys)
    # A little below 40 and 20 of 200: pairs of the list itself are left out.
    assert 0.12 < counts["Ada"] / 400 < 0.22
    assert 0.05 < counts["Bea"] / 400 < 0.13


def test_many_distinct_parts_are_drawn_without_listing_all_pairs() -> None:
    texts = [f"Given{index} Family{index}" for index in range(1500)]
    decoys = PartPool.of(texts).recombine(3000, 0, NOTHING)
    assert len({canonical(text) for text in decoys}) == 3000


def test_an_exhausted_pool_gives_what_it_has() -> None:
    assert set(PartPool.of(["Ada Byron", "Bea Cole"]).recombine(50, 0, NOTHING)) == {
        "Ada Cole",
        "Bea Byron",
    }
    assert PartPool.of([]).recombine(50, 0, NOTHING) == ()
    assert PartPool.of(["Ada Byron"]).recombine(50, 0, NOTHING) == ()


def test_what_an_exhausted_stratum_cannot_give_the_others_give() -> None:
    texts = [*LIST[:25], "王伟", "李娜"]
    decoys = PartPool.of(texts).recombine(400, 0, NOTHING)
    assert len(decoys) == 400


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "Peter Müller", "王伟", "김민수", "Иван Иванов", "محمد العلي"]
)
def test_one_person_gets_decoys_in_the_same_script_and_writing(text: str) -> None:
    name = parse_name(text)
    decoys = PartPool.of([text]).enough_for(500).recombine(500, 0, NOTHING)
    assert len(decoys) == 500
    parsed = [parse_name(decoy) for decoy in decoys]
    assert {other.script for other in parsed} == {name.script}
    assert sum(decoy.find(name.first) >= 0 for decoy in decoys) > 5
    assert sum(decoy.find(name.last) >= 0 for decoy in decoys) > 5


def test_a_long_list_needs_no_reference_parts() -> None:
    pool = PartPool.of(LIST[:25])
    assert pool.enough_for(100) == pool
    assert pool.enough_for(900).strata["latin/en_US"].combinations >= 900


def test_reference_parts_keep_to_the_culture_of_the_stratum() -> None:
    topped = PartPool.of(["Peter Müller"]).enough_for(400).strata["latin/de_DE"]
    added = set(topped.firsts) - {"Peter"}
    assert added <= set(reference_parts("latin/de_DE", 5000).firsts)
    assert topped.firsts.count("Peter") == len(added)


def test_pairs_across_strata_mix_two_cultures() -> None:
    decoys = PartPool.of(LIST).across_strata(200, 0, NOTHING)
    assert len(decoys) == 200
    english, german = LIST[:25], LIST[25:50]
    for text in decoys:
        first, last = text.split(" ")
        sides = [
            (any(name.startswith(f"{first} ") for name in one))
            and any(name.endswith(f" {last}") for name in other)
            for one, other in ((english, german), (german, english))
        ]
        assert any(sides)
    assert PartPool.of(LIST[:25]).across_strata(200, 0, NOTHING) == ()


def test_lone_decoys_have_one_part_in_the_scripts_of_the_lone_texts() -> None:
    decoys = PartPool.of(["Madonna", "さくら"]).lone_parts(200, 0, NOTHING)
    assert len(decoys) == 200
    assert all(parse_name(text).last == "" for text in decoys)
    assert Counter(parse_name(text).script for text in decoys) == {"latin": 100, "kana": 100}


def test_no_lone_decoy_falls_apart_into_two_parts() -> None:
    pool = PartPool.of(["Mary Beth Evans", "Anna Maria de la Cruz", "欧阳娜娜", "Madonna", "王"])
    decoys = pool.lone_parts(100, 0, NOTHING)
    assert len(decoys) == 100
    assert not {parse_name(text).last for text in decoys} - {""}


def test_faker_decoys_have_the_token_lengths_and_locales_of_the_list() -> None:
    def words(some):
        return [len(text) // 4 for text in some]

    like = LIST[:50]
    decoys = faker_decoys(like, 600, 0, NOTHING, words)
    wanted = Counter(words(like))
    assert Counter(words(decoys)) == {length: 12 * count for length, count in wanted.items()}
    german = set(reference_parts("latin/de_DE", 5000).lasts)
    assert 0.5 <= sum(text.split(" ")[1] in german for text in decoys) / 600 < 0.75


def test_faker_decoys_take_the_nearest_length_where_one_cannot_be_had() -> None:
    decoys = faker_decoys(
        ["Ada Lovelace"], 50, 0, NOTHING, lambda some: [9 if "Lovelace" in t else 4 for t in some]
    )
    assert len(decoys) == 50


def test_faker_decoys_pair_names_of_one_gender() -> None:
    decoys = faker_decoys(["Анна Смирнова"], 300, 0, NOTHING, lambda some: [1] * len(some))
    women = {"Анна", "Мария", "Елена", "Ольга", "Наталья", "Екатерина", "Татьяна"}
    lasts = [text.split(" ")[1] for text in decoys if text.split(" ")[0] in women]
    assert len(lasts) > 10
    assert all(last[-1] == "\u0430" for last in lasts)


def test_faker_decoys_like_no_two_part_text_are_refused() -> None:
    with pytest.raises(TooFewTexts):
        faker_decoys(["Madonna"], 5, 0, NOTHING, lambda some: [1] * len(some))


@pytest.mark.parametrize("size", [600, 3000], ids=["few pairs", "many pairs"])
def test_a_list_that_grows_by_a_hundredth_keeps_nearly_all_its_decoys(size) -> None:
    rng = np.random.default_rng(0)
    grown = [
        f"Given{first} Family{last}"
        for first, last in zip(
            rng.geometric(0.004, size + size // 100),
            rng.geometric(0.002, size + size // 100),
            strict=True,
        )
    ]
    before, after = (
        set(PartPool.of(some).enough_for(5 * len(some)).recombine(5 * len(some), 3, NOTHING))
        for some in (grown[:size], grown)
    )
    assert len(after - before) / len(after) < 0.04

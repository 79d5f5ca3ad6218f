"""Every text of a job in exactly one set, whatever order the texts came in."""

import random
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuni.errors import TextError, TooFewTexts
from tuni.lists.labelled import Labelled
from tuni.lists.sets import NullDraw, NullSizes, TextSets, make_sets
from tuni.lists.split import Split
from tuni.texts.gibberish import GibberishSpec
from tuni.texts.kind import text_kind
from tuni.texts.names import parse_name
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical

NAME = text_kind("name")

SIZES = NullSizes(
    gibberish=40,
    gibberish_scale=10,
    gibberish_calibration=10,
    decoy_fit=30,
    decoy_scale=10,
    decoy_search=20,
    decoy_calibration=30,
    decoy_check=10,
    control=10,
    single=10,
)
PARTS = reference_parts("latin/en_US", 12)
NAMES = [f"{first} {last}" for first in PARTS.firsts for last in PARTS.lasts]
SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def labelled(texts) -> Labelled:
    count = len(texts)
    members = tuple(row % 2 == 0 for row in range(count))
    return Labelled(tuple(texts), members, (None,) * count, ("",) * count)


def made(known=(), listed=(), *, seed=0, key=b"k" * 32, source="recombination", **more):
    draw = NullDraw(
        sizes=more.pop("sizes", SIZES),
        gibberish_spec=GibberishSpec(),
        seed=seed,
        source=source,
        kind=NAME,
        token_length=lambda texts: [len(text) for text in texts],
        **more,
    )
    return make_sets(labelled(known) if known else None, listed, Split(key), draw)


def by_name(sets: TextSets) -> dict[str, tuple[str, ...]]:
    return {field.name: getattr(sets, field.name) for field in fields(sets)}


def keys(*groups) -> list[str]:
    return [canonical(text) for group in groups for text in group]


PEOPLE = st.lists(st.sampled_from([*NAMES, "Madonna", "Cher"]), max_size=30, unique=True)


@SLOW
@given(PEOPLE, PEOPLE, st.integers(0, 1000))
def test_no_text_stands_in_two_sets_and_none_of_interest_is_a_null(known, listed, seed):
    sets = made(known, listed, seed=seed)
    everything = keys(*by_name(sets).values())
    assert len(everything) == len(set(everything))
    people = keys(sets.labelled_dev, sets.labelled_test, sets.list_search, sets.list_judge)
    full = {canonical(text) for text in (*known, *listed) if parse_name(text).last}
    assert set(people) == full
    assert not (set(everything) - set(people)) & set(keys(known, listed))


@SLOW
@given(PEOPLE, PEOPLE, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_moves_nothing(known, listed, chance: random.Random):
    one = made(known, listed)
    chance.shuffle(known)
    chance.shuffle(listed)
    assert made(known, listed) == one


def test_spelling_and_repetition_in_the_list_move_nothing():
    listed = NAMES[:20]
    again = [*listed, *(text.upper() for text in listed), *(f"  {text} " for text in listed)]
    one, other = by_name(made((), listed)), by_name(made((), again))
    assert {name: keys(texts) for name, texts in one.items()} == {
        name: keys(texts) for name, texts in other.items()
    }


def test_who_is_labelled_is_not_also_unlabelled():
    sets = made(NAMES[:20], NAMES[10:40])
    assert set(keys(sets.labelled_dev, sets.labelled_test)) == set(keys(NAMES[:20]))
    assert set(keys(sets.list_search, sets.list_judge)) == set(keys(NAMES[20:40]))


def test_a_person_stays_on_their_side_when_others_join():
    few, many = made(NAMES[:20], NAMES[20:40]), made(NAMES[:20], NAMES[20:80])
    assert few.labelled_dev == many.labelled_dev
    assert set(few.list_search) <= set(many.list_search)
    assert set(few.list_judge) <= set(many.list_judge)


def test_another_key_divides_and_another_seed_draws_differently():
    one = made(NAMES[:40])
    assert made(NAMES[:40], key=b"o" * 32).labelled_dev != one.labelled_dev
    assert made(NAMES[:40], seed=1).labelled_dev == one.labelled_dev
    assert made(NAMES[:40], seed=1).decoy_fit != one.decoy_fit
    assert made(NAMES[:40], seed=1).gibberish_fit != one.gibberish_fit


def test_nulls_are_as_many_as_asked_and_of_their_kind():
    sets = made(NAMES[:40])
    for name in ("gibberish_scale", "gibberish_calibration", "control"):
        assert len(getattr(sets, name)) == getattr(SIZES, name)
    assert len(sets.gibberish_fit) == SIZES.gibberish
    parted = {name: {bool(parse_name(text).last) for text in texts}
              for name, texts in by_name(sets).items() if texts}  # fmt: skip
    assert all(found == {not name.startswith("single_")} for name, found in parted.items())
    drawn = [texts for name, texts in by_name(sets).items() if name.startswith("decoy_")]
    assert sum(map(len, drawn)) == 100


def test_without_any_text_the_locales_names_are_recombined():
    german = made(locale="de_DE")
    assert german.labelled_dev == german.list_search == ()
    assert sum(parse_name(text).stratum == "latin/de_DE" for text in german.decoy_fit) > 5


def test_own_decoys_are_taken_but_for_people_of_interest():
    own = [*NAMES[:120], NAMES[0].upper()]
    sets = made(NAMES[100:130], source="file", own_decoys=own)
    drawn = keys(*(texts for name, texts in by_name(sets).items() if name.startswith("decoy_")))
    assert set(drawn) == set(keys(NAMES[:100]))


def test_too_few_own_decoys_are_refused_with_their_number():
    with pytest.raises(TooFewTexts, match="decoys: 7 distinct") as raised:
        made(source="file", own_decoys=[*NAMES[:7], NAMES[0]])
    assert NAMES[0] not in str(raised.value)


def test_what_the_model_cannot_read_whole_is_no_decoy():
    def unread(text):
        return sum(map(ord, text)) % 10 == 0

    def fitting(texts):
        return tuple(text for text in texts if not unread(text))

    sets = made(NAMES[:60], fitting=fitting, sizes=replace(SIZES, decoy_calibration=930))
    nulls = (sets.decoy_fit, sets.decoy_calibration, sets.control, sets.single_fit)
    assert len(sets.decoy_calibration) > 700
    assert not any(unread(text) for group in nulls for text in group)


def test_sets_that_share_a_text_cannot_be_made():
    sets = by_name(made())
    twice = {"control": (*sets["control"], sets["decoy_fit"][0].upper())}
    with pytest.raises(TextError, match="decoy_fit") as raised:
        TextSets(**(sets | twice))
    assert sets["decoy_fit"][0] not in str(raised.value)

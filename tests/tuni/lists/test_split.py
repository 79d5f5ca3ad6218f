import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import RequestError, TextError
from tuni.lists.split import Split, disjoint
from tuni.texts.text import canonical

SPLIT = Split(b"k" * 32)
SHARES = {"fit": 0.5, "scale": 0.2, "judge": 0.3}
subjects = st.lists(st.text(max_size=12), unique_by=canonical, max_size=40)


@given(subjects, st.randoms())
def test_division_does_not_depend_on_the_order(texts, order) -> None:
    shuffled = texts[:]
    order.shuffle(shuffled)
    assert SPLIT.divide(shuffled, SHARES, "p") == SPLIT.divide(texts, SHARES, "p")


@given(subjects, st.integers(0, 40))
def test_texts_that_are_added_move_nobody(texts, count) -> None:
    whole = SPLIT.divide(texts, SHARES, "p")
    part = SPLIT.divide(texts[:count], SHARES, "p")
    for name in SHARES:
        assert set(part[name]) == set(whole[name]) & set(texts[:count])


@given(subjects)
def test_every_text_stands_in_exactly_one_set(texts) -> None:
    sets = SPLIT.divide(texts, SHARES, "p")
    disjoint(sets)
    assert sorted(text for some in sets.values() for text in some) == sorted(texts)


@given(st.text(max_size=12))
def test_a_subject_has_one_place_however_it_is_spelled(text) -> None:
    place = SPLIT.fraction(text, "p")
    assert 0 <= place < 1
    assert SPLIT.fraction(f" {canonical(text)} ", "p") == place


def test_purposes_and_keys_divide_independently() -> None:
    texts = [f"name {index}" for index in range(2000)]
    halves = {"one": 1, "two": 1}
    one = set(SPLIT.divide(texts, halves, "p")["one"])
    for other in (SPLIT.divide(texts, halves, "q"), Split(b"j" * 32).divide(texts, halves, "p")):
        assert 420 < len(one & set(other["one"])) < 580


def test_shares_are_relative() -> None:
    texts = [f"name {index}" for index in range(2000)]
    sets = SPLIT.divide(texts, {"a": 3000, "none": 0, "b": 1000}, "p")
    assert sets["none"] == ()
    assert 1400 < len(sets["a"]) < 1600
    assert len(sets["a"]) + len(sets["b"]) == 2000


def test_result_is_ordered_by_place() -> None:
    sets = SPLIT.divide([f"name {index}" for index in range(50)], {"all": 1}, "p")
    places = [SPLIT.fraction(text, "p") for text in sets["all"]]
    assert places == sorted(places)


def test_two_spellings_of_one_subject_are_refused_by_row() -> None:
    with pytest.raises(TextError) as caught:
        SPLIT.divide(["Ada Byron", "Bea Cole", "ADA  byron"], SHARES, "p")
    assert "1 and 3" in str(caught.value)
    assert "yron" not in str(caught.value)


@pytest.mark.parametrize("shares", [{}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}])
def test_shares_that_divide_nothing_are_refused(shares) -> None:
    with pytest.raises(RequestError):
        SPLIT.divide(["Ada"], shares, "p")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(RequestError):
        Split(b"short")


def test_overlap_names_both_sets_and_never_the_text() -> None:
    disjoint({"fit": ["Ada Byron", "Ada Byron"], "judge": ["Bea Cole"]})
    with pytest.raises(TextError) as caught:
        disjoint({"fit": ["Ada Byron"], "judge": ["Bea Cole", "ada byron"]})
    assert "fit and judge" in str(caught.value)
    assert "row 2" in str(caught.value)
    assert "yron" not in str(caught.value)

"""A list's shape: of the set of texts, in bounded memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.lists.shape import ListShape
from tuni.texts.kind import text_kind

NAME = text_kind("name")

PAIRS = [f"{first} {last}" for first in ("Ada", "Bo", "Cy", "Di") for last in ("Roe", "Tarn", "Wu")]
LONE = ["Cher", "Prince", "Zico"]


@settings(deadline=None)
@given(st.permutations([*PAIRS, *LONE]), st.integers(1, 20))
def test_the_order_of_the_texts_is_of_no_importance(texts, sample):
    shape = ListShape.of(iter(texts), NAME, sample)
    assert shape == ListShape.of([*PAIRS, *LONE], NAME, sample)
    assert (shape.pairs, shape.lone, shape.size) == (12, 3, 15)


def test_a_short_list_is_its_own_sample():
    shape = ListShape.of([*PAIRS, *LONE], NAME)
    assert set(shape.pair_sample) == set(PAIRS)
    assert set(shape.lone_sample) == set(LONE)
    assert shape.whole


def test_of_a_long_list_a_sample_is_kept():
    shape = ListShape.of([*PAIRS, *LONE], NAME, sample=5)
    assert not shape.whole
    assert len(shape.pair_sample) == 5
    assert set(shape.pair_sample) < set(PAIRS)
    assert len(shape.lone_sample) == 3


def test_the_sample_does_not_depend_on_how_a_text_is_spelled():
    shape = ListShape.of([text.upper() for text in PAIRS], NAME, sample=5)
    assert shape.pair_sample == tuple(
        text.upper() for text in ListShape.of(PAIRS, NAME, sample=5).pair_sample
    )


def test_a_sample_is_a_fair_draw():
    """Of 600 texts 200 are kept; a third of each half, give or take four deviations."""
    texts = [f"Ada Roe{number}" for number in range(600)]
    kept = set(ListShape.of(texts, NAME, sample=200).pair_sample)
    assert abs(len(kept & set(texts[:300])) - 100) < 4 * (300 * (1 / 3) * (2 / 3) / 2) ** 0.5

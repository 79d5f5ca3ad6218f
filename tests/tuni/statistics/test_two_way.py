"""Effects of parts: found where there are some, and texts of the fit as good as new ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.statistics.p_values import conformal_p
from tuni.statistics.two_way import NONE, Effects


def cells(draw: np.random.Generator, parts: int, per_part: int) -> list[np.ndarray]:
    """Rows of distinct pairs of ``parts`` first and as many last parts, each part among them."""
    while True:
        chosen = draw.permutation(parts * parts)[: parts * per_part]
        rows = [chosen // parts, chosen % parts]
        if all(len(np.unique(part)) == parts for part in rows):
            return rows


def test_effects_are_found_and_taken_away():
    draw = np.random.default_rng(0)
    rows = cells(draw, 40, 20)
    effects = draw.normal(size=(2, 40, 3))
    values = 5.0 + effects[0][rows[0]] + effects[1][rows[1]] + 0.1 * draw.normal(size=(800, 3))
    fitted = Effects.fit(values, rows, ridge=1.0)
    for place in (0, 1):
        told = np.corrcoef(fitted.parts[place][:, 0], effects[place][:, 0])[0, 1]
        assert told > 0.99
    left = fitted.left_out(values, rows)
    assert left.var() < 0.05 * values.var()


@pytest.mark.parametrize("width", [1, 5])
def test_a_text_of_the_fit_is_corrected_as_if_the_fit_had_been_without_it(width):
    draw = np.random.default_rng(1)
    rows = cells(draw, 15, 8)
    values = draw.normal(size=(120, width)) + draw.normal(size=(15, width))[rows[0]]
    told = Effects.fit(values, rows, ridge=3.0).left_out(values, rows)
    for text in range(0, 120, 17):
        rest = np.arange(120) != text
        without = Effects.fit(values[rest], [part[rest] for part in rows], ridge=3.0)
        alone = without.remove(values[[text]], [part[[text]] for part in rows])[0]
        np.testing.assert_allclose(told[text], alone, atol=0.15 * np.abs(values).max())


def test_unknown_parts_add_nothing():
    values = np.array([[1.0], [3.0], [5.0], [7.0]])
    fitted = Effects.fit(values, [np.array([0, 0, 1, 1])], ridge=1e-9)
    left = fitted.remove(np.array([[4.0], [2.0]]), [np.array([NONE, 0])])
    np.testing.assert_allclose(left, [[0.0], [0.0]], atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_any_design_gives_finite_numbers(count, parts, seed):
    draw = np.random.default_rng(seed)
    rows = [np.unique(draw.integers(0, parts, count), return_inverse=True)[1] for _ in range(2)]
    values = draw.normal(size=(count, 2))
    fitted = Effects.fit(values, rows, ridge=2.0)
    assert np.isfinite(fitted.left_out(values, rows)).all()
    assert np.isfinite(fitted.remove(values, rows)).all()


def test_equal_input_gives_equal_bits_and_the_order_of_coordinates_moves_nothing():
    draw = np.random.default_rng(2)
    rows, values = cells(draw, 12, 6), draw.normal(size=(72, 200))
    first, again = (Effects.fit(values, rows, ridge=2.0) for _ in range(2))
    assert first.left_out(values, rows).tobytes() == again.left_out(values, rows).tobytes()


def less_parts(values: np.ndarray, rows: list[np.ndarray], strangers: int) -> np.ndarray:
    """Numbers less effects that are fitted on all texts but the last ones."""
    fit = [part[:-strangers] for part in rows]
    fitted = Effects.fit(values[:-strangers], fit, 2.0)
    new = fitted.remove(values[-strangers:], [part[-strangers:] for part in rows])
    return np.vstack([fitted.left_out(values[:-strangers], fit), new])


def strangers_accused(draws: int, per_part: int, seed: int) -> float:
    """Share of new pairs with p <= 5 % against decoys of as many as ``per_part`` a part."""
    draw, parts, strangers = np.random.default_rng(seed), 60, 200
    accused = []
    for _ in range(draws):
        chosen = draw.permutation(parts * parts)[: parts * per_part + strangers]
        rows = [chosen // parts, chosen % parts]
        effects = 1.5 * draw.normal(size=(2, parts, 8))
        spread = np.exp(0.3 * draw.normal(size=parts))[rows[0], None]
        noise = spread * draw.normal(size=(len(chosen), 8))
        vectors = less_parts(effects[0][rows[0]] + effects[1][rows[1]] + noise, rows, strangers)
        lengths = np.log(np.square(vectors).sum(axis=1, keepdims=True))
        scores = less_parts(lengths, rows, strangers)[:, 0]
        accused.append(conformal_p(scores[-strangers:], scores[:-strangers]) <= 0.05)
    return float(np.mean(accused))


def test_strangers_are_accused_at_the_stated_rate_through_both_stages():
    assert 0.04 <= strangers_accused(draws=10, per_part=20, seed=3) <= 0.06


@pytest.mark.slow
def test_strangers_are_accused_at_the_stated_rate_with_many_draws():
    assert 0.03 <= strangers_accused(draws=60, per_part=10, seed=4) <= 0.055  # few: too careful
    for per_part in (20, 30):
        assert 0.045 <= strangers_accused(draws=120, per_part=per_part, seed=4) <= 0.055

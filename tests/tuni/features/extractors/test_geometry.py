"""Text geometry, held against its formulas."""

import numpy as np
import pytest
import torch

from tuni.errors import PictureError, RequestError, SpecMismatch, TextError
from tuni.features.extractors.geometry import columns
from tuni.features.families.geometry import GeometrySpec
from tuni.pictures.bank import Bank
from tuni.texts.text import PROMPTS_8, PROMPTS_24

TEXTS = ("Ada Roe", "Bo Li", "Maximiliane Quetzalcoatl", "qz#7 k!", "{} braces", "Jon Smith")
PLAIN = GeometrySpec(PROMPTS_8, PROMPTS_24)


def make_bank(count=40, size=32, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, size)) + 0.5
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return Bank(found.astype(np.float32), f"{seed:064x}", count)


def with_bank(bank, ranks=(4, 16)):
    return GeometrySpec(PROMPTS_8, PROMPTS_24, bank.digest, ranks)


def describe(target, texts, spec, bank=None, batch=64):
    return columns(target, texts, spec, batch, lambda _count: None, bank)


def encode(target, text):
    ids = target.tokenize([text])
    with torch.no_grad():
        return target.forward_text(target.token_embeddings(ids), ids).embedding[0].double().numpy()


def test_columns_equal_their_formulas(tiny_target):
    bank = make_bank()
    found = describe(tiny_target, TEXTS, with_bank(bank), bank)
    pictures = bank.embeddings.astype(float)
    values, vectors = np.linalg.eigh(np.cov(pictures.T))
    axes = vectors[:, np.argsort(values)[::-1]]
    for row, text in enumerate(TEXTS):
        each = np.array([encode(tiny_target, p.replace("{}", text)) for p in PROMPTS_24])
        centre = each.mean(axis=0)
        unit = centre / np.linalg.norm(centre)
        cosines = np.sort(pictures @ unit)
        away = unit - pictures.mean(axis=0)
        expected = {
            "geometry.consistency_8": np.linalg.norm(each[:8].mean(axis=0)),
            "geometry.consistency_24": np.linalg.norm(centre),
            "geometry.embedding": unit,
            "geometry.bank_max": cosines[-1],
            "geometry.bank_mean": cosines.mean(),
            "geometry.bank_gap": cosines[-5:].mean() - cosines.mean(),
        } | {
            f"geometry.bank_residual_{r}": np.linalg.norm(away - axes[:, :r] @ axes[:, :r].T @ away)
            for r in (4, 16)
        }
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][row], np.atleast_1d(value), rtol=0, atol=2e-6)


def test_a_text_does_not_feel_its_company(tiny_target):
    together = describe(tiny_target, TEXTS, PLAIN)
    for rows in ([0], [5, 1], [5, 4, 3, 2, 1, 0]):
        some = describe(tiny_target, [TEXTS[row] for row in rows], PLAIN)
        for name, array in some.items():
            np.testing.assert_array_equal(array, together[name][rows])


def test_prompts_that_say_the_same_agree_fully(tiny_target):
    spec = GeometrySpec(("{}",), ("{}", "{} "))
    found = describe(tiny_target, TEXTS, spec)
    np.testing.assert_allclose(found["geometry.consistency_24"], 1, atol=1e-6)


def test_without_a_bank_there_are_no_bank_columns(tiny_target):
    assert set(describe(tiny_target, TEXTS, PLAIN)) == {
        "geometry.consistency_8",
        "geometry.consistency_24",
        "geometry.embedding",
    }


@pytest.mark.parametrize(
    ("spec", "bank"),
    [
        (PLAIN, make_bank()),
        (with_bank(make_bank()), None),
        (with_bank(make_bank()), make_bank(seed=1)),
    ],
)
def test_a_bank_other_than_the_specs_is_refused(tiny_target, spec, bank):
    with pytest.raises(SpecMismatch, match=r"geometry\.bank_digest"):
        describe(tiny_target, TEXTS, spec, bank)


def test_a_bank_too_small_for_a_rank_is_refused(tiny_target):
    bank = make_bank(count=16)
    with pytest.raises(PictureError, match="16 distinct pictures, rank 16 needs 17"):
        describe(tiny_target, TEXTS, with_bank(bank), bank)


@pytest.mark.parametrize("rank", [0, 32])
def test_a_rank_that_leaves_nothing_is_refused(tiny_target, rank):
    bank = make_bank()
    with pytest.raises(RequestError, match=f"{rank}, expected 1 to 31"):
        describe(tiny_target, TEXTS, with_bank(bank, (rank,)), bank)


def test_a_text_that_leaves_the_context_is_named_by_its_row(tiny_target):
    texts = ("Ada Roe", "x7 " * 12, "Bo Li")
    with pytest.raises(TextError, match=r"longer than the 24 tokens .* row 1\n"):
        describe(tiny_target, texts, PLAIN)


def test_progress_counts_texts(tiny_target):
    steps = []
    columns(tiny_target, TEXTS, PLAIN, 8, steps.append)
    assert sum(steps) == len(TEXTS)


def test_no_text_gives_empty_columns(tiny_target):
    found = describe(tiny_target, (), PLAIN)
    assert found["geometry.embedding"].shape == (0, 32)
    assert found["geometry.consistency_8"].shape == (0, 1)

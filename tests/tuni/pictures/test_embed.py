"""Embeddings of pictures and of the names beside them."""

import numpy as np
from PIL import Image

from tuni.features.prompt_embeddings import embed_names
from tuni.pictures.embed import BATCH, embed_pictures


def pictures(n):
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (20, 20, 3), dtype=np.uint8)) for _ in range(n)]


def test_company_moves_no_embedding(tiny_target):
    some = pictures(BATCH + 3)
    whole = embed_pictures(tiny_target, some)
    assert whole.shape == (BATCH + 3, tiny_target.embed_dim)
    for row in (0, BATCH - 1, BATCH + 2):
        assert np.array_equal(embed_pictures(tiny_target, [some[row]])[0], whole[row])


def test_every_picture_is_told(tiny_target):
    told = []
    embed_pictures(tiny_target, iter(pictures(BATCH + 1)), told.append)
    assert told == [BATCH, 1]


def test_names_are_unit_vectors_whatever_stands_beside_them(tiny_target):
    names = embed_names(tiny_target, ["Ada Roe", "Bo Tarn", "Cy Umber"], 8)
    assert np.allclose(np.linalg.norm(names, axis=1), 1, atol=1e-6)
    assert np.allclose(embed_names(tiny_target, ["Bo Tarn"], 8)[0], names[1], atol=1e-6)

"""Each family is the model that its checkpoint is read as, and learns by its own loss."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.tuni.bench.testbed.test_build import TINY
from tuni.bench.testbed import make_testbed
from tuni.bench.testbed.models import (
    build_model,
    encode_images,
    encode_texts,
    loss,
    token_table,
    tokenizer,
)
from tuni.bench.testbed.settings import TestbedSettings
from tuni.model.load import load_target

FAMILIES = ("clip", "siglip", "bert", "resnet")
TEXTS = ["a photo of Ada Roe", "x", "this is O'Neill, on a red boat at the lake"]


def small(family) -> TestbedSettings:
    return replace(TINY.of_family(family), epochs=2, vision_width=32)


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoint_is_the_model_that_was_trained(family, tmp_path: Path) -> None:
    """Told by embeddings that an untrained model of the same seed does not give."""
    settings = small(family)
    target = load_target(make_testbed(settings, tmp_path).checkpoint)
    ids = target.tokenize(TEXTS)
    embedded = target.forward_text(target.token_embeddings(ids), ids).embedding
    pixels = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
    model = build_model(settings).eval()
    with torch.no_grad():
        untrained = encode_texts(model, tokenizer(settings)(TEXTS))
        assert not torch.allclose(embedded, untrained, atol=0.01)
        read = target._hooked.model if family == "bert" else target._model
        model.load_state_dict(read.state_dict())
        trained = encode_texts(model, tokenizer(settings)(TEXTS))
        torch.testing.assert_close(embedded, trained, rtol=0, atol=1e-5)
        torch.testing.assert_close(
            target.encode_media(pixels), encode_images(model, pixels), rtol=0, atol=1e-5
        )
    assert target.trimmed == (family != "siglip")


@pytest.mark.parametrize("family", FAMILIES)
def test_token_table_is_random_and_frozen(family) -> None:
    settings = small(family)
    table = token_table(build_model(settings))
    assert not table.requires_grad
    assert float(table.std()) == pytest.approx(settings.token_deviation, rel=0.01)


def test_every_family_reads_the_same_tokens() -> None:
    rows = {family: tokenizer(small(family))(TEXTS) for family in FAMILIES}
    padding = int(rows["bert"].max())
    as_clip = rows["bert"].masked_fill(rows["bert"] == padding, 0)
    for family in FAMILIES[1:]:
        assert torch.equal(as_clip if family == "bert" else rows[family], rows["clip"])


def test_losses_are_those_of_the_papers() -> None:
    drawn = torch.randn(2, 4, 128, generator=torch.Generator().manual_seed(0))
    images, texts = functional.normalize(drawn, dim=-1)
    softmax, sigmoid = build_model(small("clip")), build_model(small("siglip"))
    cosines = [[float(image @ text) for text in texts] for image in images]
    scale, total = 40.0, 0.0
    for row in range(4):
        across = sum(math.exp(scale * cosines[row][k]) for k in range(4))
        down = sum(math.exp(scale * cosines[k][row]) for k in range(4))
        total -= 2 * scale * cosines[row][row] - math.log(across) - math.log(down)
    assert float(loss(softmax, images, texts).detach()) == pytest.approx(total / 4, rel=1e-4)
    total = 0.0
    for row in range(4):
        for column in range(4):
            logit = 10 * cosines[row][column] - 10
            total += math.log1p(math.exp(-logit if row == column else logit))
    assert float(loss(sigmoid, images, texts).detach()) == pytest.approx(total / 4, rel=1e-4)

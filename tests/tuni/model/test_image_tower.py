"""The own pass is open_clip's, and its gradient too; what it cannot follow it leaves alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.model import CLIP

from tuni.model.image_tower import plain_vision, run_vision
from tuni.model.load import load_target

VISION = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 2}
TEXT = {"context_length": 8, "vocab_size": 100, "width": 16, "heads": 2, "layers": 1}
FOLLOWED = {
    "plain": {},
    "quick activation": {"quick_gelu": True},
    "layer scale": {"vision_cfg": {"ls_init_value": 0.3}},
    "no norm before": {"vision_cfg": {"no_ln_pre": True}},
    "one layer": {"vision_cfg": {"layers": 1}},
    "norm after pooling": {"vision_cfg": {"final_ln_after_pool": True}},
    "fixed positions": {"vision_cfg": {"pos_embed_type": "sin_cos_2d"}},
}
LEFT_ALONE = {
    "mean of patches": {"vision_cfg": {"pool_type": "avg"}},
    "attention pool": {"vision_cfg": {"attentional_pool": True}},
    "other blocks": {"vision_cfg": {"qk_norm": True, "scale_heads": True}},
    "ResNet": {"vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "patch_size": None}},
}


def tower(vision_cfg=(), **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = CLIP(
            embed_dim=32, text_cfg=TEXT, vision_cfg={**VISION, **dict(vision_cfg)}, **options
        )
        for weight in model.visual.parameters():  # biases and norms start at values that hide
            weight.data += 0.05 * torch.randn_like(weight)
    return model.visual.eval().requires_grad_(False)


def pictures(count, seed=0):
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def outcome(run, pixels):
    leaf = pixels.clone().requires_grad_()
    found = run(leaf)
    (gradient,) = torch.autograd.grad(found.sin().sum(), leaf)
    return found.detach(), gradient


@pytest.mark.parametrize("kind", FOLLOWED)
def test_embeddings_and_gradients_are_open_clips(kind):
    visual = tower(**FOLLOWED[kind])
    assert plain_vision(visual)
    for mine, theirs in zip(
        outcome(lambda x: run_vision(visual, x), pictures(3)),
        outcome(visual, pictures(3)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_towers_of_another_kind_are_left_alone(kind):
    assert not plain_vision(tower(**LEFT_ALONE[kind]))


@settings(max_examples=20)
@given(count=st.integers(1, 9), seed=st.integers(0, 99), layout=st.sampled_from(["plain", "last"]))
def test_every_batch_and_layout_gives_open_clips_embeddings(count, seed, layout):
    visual, pixels = tower(), pictures(count, seed)
    if layout == "last":
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(run_vision(visual, pixels), visual(pixels), rtol=1e-5, atol=1e-5)


def test_lower_precision_stays_near():
    visual = tower()
    exact = run_vision(visual, pictures(4))
    near = run_vision(visual.bfloat16(), pictures(4).bfloat16()).float()
    assert (torch.nn.functional.cosine_similarity(exact, near) > 0.99).all()


def test_a_tower_that_is_left_alone_still_serves(make_folder):
    target = load_target(make_folder(vision_cfg={**VISION, "pool_type": "avg"}))
    assert target.encode_media(pictures(2)).shape == (2, 32)

"""A target is open_clip's own model, only frozen, trimmed and unable to cut a text silently."""

import numpy as np
import pytest
import torch
from open_clip import create_model, get_tokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn import functional

from tuni.errors import CheckpointError, TextError
from tuni.model.load import load_target

TEXTS = ["Ada Roe", "a photo of Bartholomew van der Zyl", "x", "$%& 7!? q"]
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
KINDS = {
    "ViT": {},
    "quick activation": {"quick_gelu": True},
    "ResNet": {"vision_cfg": RESNET},
    "layer scale": {"text_cfg": {"ls_init_value": 0.3}},
    "no projection": {"embed_dim": 64, "text_cfg": {"proj_type": "none"}, "custom_text": True},
    "projection with bias": {"text_cfg": {"proj_bias": True}, "custom_text": True},
    "custom text": {"custom_text": True},
    "other blocks": {"text_cfg": {"qk_norm": True, "scale_heads": True}},
    "not causal": {"text_cfg": {"no_causal_mask": True}, "custom_text": True},
    "first position": {
        "text_cfg": {"no_causal_mask": True, "pool_type": "first"},
        "custom_text": True,
    },
    "end by its id": {"text_cfg": {"pool_type": "eos", "eos_id": 49407}, "custom_text": True},
    "last position": {
        "text_cfg": {"no_causal_mask": True, "pool_type": "last"},
        "custom_text": True,
    },
}


def reference(folder):
    """The same checkpoint through open_clip's own loader, and its tokenizer."""
    name = f"local-dir:{folder}"
    with torch.random.fork_rng(devices=[]):
        model = create_model(name, require_pretrained=True).eval().requires_grad_(False)
    return model, get_tokenizer(name)


def embed(target, texts, **how):
    ids = target.tokenize(texts)
    return target.forward_text(target.token_embeddings(ids), ids, **how)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, make_folder):
    return make_folder(**KINDS[kind])


def test_texts_and_images_are_open_clips(kind, folder):
    target = load_target(folder)
    model, tokenize = reference(folder)
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    texts = functional.normalize(model.encode_text(tokenize(TEXTS)), dim=-1)
    images = functional.normalize(model.encode_image(pixels), dim=-1)
    assert torch.allclose(embed(target, TEXTS).embedding, texts, atol=1e-5)
    assert torch.allclose(target.encode_media(pixels), images, atol=1e-5)
    assert target.trimmed == (kind not in ("not causal", "first position", "last position"))


def test_hidden_states_are_the_residual_stream_before_the_final_norm(kind, folder):
    target = load_target(folder)
    model, tokenize = reference(folder)
    tower = getattr(model, "text", model)
    seen = []
    for block in tower.transformer.resblocks:
        block.register_forward_hook(lambda _block, _args, output: seen.append(output))
    ids = tokenize(TEXTS)
    model.encode_text(ids)
    ends = ids.argmax(dim=1)
    if kind in ("first position", "last position"):
        ends = torch.full((len(ids),), 0 if kind == "first position" else 23)
    found = embed(target, TEXTS, layers=1).hidden
    assert len(found) == 2
    for state, block in zip(found, reversed(seen), strict=True):
        assert torch.allclose(state, block[torch.arange(len(ids)), ends], atol=1e-5)


def test_shared_beginning_saves_work_and_changes_nothing(folder):
    target = load_target(folder)
    texts = ["a photo of Ada Roe", "a photo of Bo van der Zyl"]
    whole, shared = embed(target, texts, layers=1), embed(target, texts, layers=1, shared=4)
    assert torch.allclose(whole.embedding, shared.embedding, atol=1e-6)
    for one, other in zip(whole.hidden, shared.hidden, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_gradients_reach_tokens_and_pixels_but_no_weight(folder):
    target = load_target(folder)
    ids = target.tokenize(["a photo of Ada Roe"])
    x = target.token_embeddings(ids).requires_grad_()
    whole = target.forward_text(x, ids).embedding[0, 0]
    part = target.forward_text(x, ids, shared=4).embedding[0, 0]
    (of_whole,) = torch.autograd.grad(whole, x)
    (of_part,) = torch.autograd.grad(part, x)
    end = int(ids.argmax()) + 1
    assert of_whole[0, 4:end].abs().sum() > 0
    assert torch.allclose(of_whole[0, 4:end], of_part[0, 4:end], atol=1e-5)
    pixels = torch.zeros(1, 3, 32, 32, requires_grad=True)
    target.encode_media(pixels)[0, 0].backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in target._model.parameters())


def test_loading_leaves_the_global_generator_alone(tiny_folder):
    before = torch.random.get_rng_state()
    load_target(tiny_folder)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_two_loads_give_equal_bits(tiny_folder):
    one, two = (load_target(tiny_folder) for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert torch.equal(embed(one, TEXTS).embedding, embed(two, TEXTS).embedding)


def test_facts_of_the_checkpoint(tiny_target):
    facts = (tiny_target.embed_dim, tiny_target.width, tiny_target.layers)
    assert facts == (32, 64, 2)
    assert (tiny_target.context_length, tiny_target.media.shape) == (24, (3, 32, 32))
    assert tiny_target.device == "cpu"


def test_ids_are_open_clips_without_the_padding(tiny_folder, tiny_target):
    ids = tiny_target.tokenize(TEXTS)
    expected = get_tokenizer(f"local-dir:{tiny_folder}")(TEXTS)
    counts = tiny_target.token_counts(TEXTS)
    assert torch.equal(ids, expected[:, : ids.shape[1]])
    assert ids.shape[1] == counts.max()
    assert (counts == expected.argmax(dim=1).numpy() + 1).all()


def test_long_text_is_refused_by_row_and_never_cut(tiny_target):
    fits, long = " ".join(["word"] * 22), " ".join(["secret"] * 23)
    assert tiny_target.tokenize([fits]).shape == (1, 24)
    assert tiny_target.token_counts([long])[0] == 25
    with pytest.raises(
        TextError, match="longer than the 24 tokens of the model in row 1"
    ) as caught:
        tiny_target.tokenize([fits, long, "x"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("mark", ["<start_of_text>", "<end_of_text>", "<END_OF_TEXT>"])
def test_special_token_inside_a_text_is_refused_by_row(tiny_target, mark):
    with pytest.raises(TextError, match="row 1"):
        tiny_target.tokenize(["Ada Roe", f"Ada {mark} Roe"])


@pytest.mark.parametrize(
    ("pool", "reason"),
    [("none", "not a plain CLIP transformer"), ("first", "same embed"), ("eos", "same embed")],
)
def test_tower_whose_states_mean_something_else_is_refused(make_folder, pool, reason):
    folder = make_folder(text_cfg={"pool_type": pool}, custom_text=True)  # eos_id is not the mark's
    with pytest.raises(CheckpointError, match=reason):
        load_target(folder)


def test_pictures_are_prepared_as_open_clip_does(tiny_target):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    settings = PreprocessCfg(
        size=32, mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash", interpolation="bicubic"
    )
    expected = image_transform_v2(settings, is_train=False)(picture)
    assert torch.equal(tiny_target.preprocess(picture), expected)


def test_lower_precision_stays_near_and_returns_float32(tiny_folder, tiny_target):
    low = load_target(tiny_folder, precision="bf16")
    found = embed(low, TEXTS, layers=1)
    cosines = (found.embedding * embed(tiny_target, TEXTS).embedding).sum(dim=1)
    assert {found.embedding.dtype, found.hidden[0].dtype} == {torch.float32}
    assert (cosines > 0.995).all()
    pixels = torch.zeros(1, 3, 32, 32)
    assert low.encode_media(pixels).dtype == torch.float32
    assert low.fingerprint == tiny_target.fingerprint


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_device_that_is_not_there_is_named(tiny_folder, device):
    with pytest.raises(CheckpointError, match=f"device: '{device}'"):
        load_target(tiny_folder, device=device)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip import create_model, get_tokenizer
from torch.nn import functional

from tuni.errors import TextError
from tuni.features.prompt_embeddings import prompt_embeddings, whole_units
from tuni.model.load import load_target
from tuni.texts.text import PROMPTS_24, clean_text, refusal

PROMPTS = ("{}", "a photo of {}", "{} smiling")
WORDS = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd", "Pd")), min_size=1, max_size=6)
NAMES = st.lists(WORDS, min_size=1, max_size=2).map(" ".join).map(clean_text)


@pytest.fixture(scope="module")
def pair(tiny_folder, tiny_target):
    """One checkpoint: as a target in each precision, as open_clip's own model, its tokenizer."""
    name = f"local-dir:{tiny_folder}"
    with torch.random.fork_rng(devices=[]):
        model = create_model(name, require_pretrained=True).eval().requires_grad_(False)
    low = load_target(tiny_folder, precision="bf16")
    return {"fp32": tiny_target, "bf16": low}, model, get_tokenizer(name)


@settings(max_examples=20, deadline=None)
@given(
    texts=st.lists(NAMES.filter(lambda text: refusal(text) is None), min_size=1, max_size=12),
    batch=st.sampled_from([16, 64, 256]),
    precision=st.sampled_from(["fp32", "bf16"]),
    prompts=st.lists(st.sampled_from(PROMPTS_24), min_size=1, max_size=3, unique=True),
)
def test_the_fast_path_is_open_clips_encoder(pair, texts, batch, precision, prompts):
    targets, model, tokenize = pair
    target = targets[precision]
    longest = target.token_counts([f"a black and white photo of {text}" for text in texts])
    texts = [text for text, count in zip(texts, longest, strict=True) if count <= 24]
    found = prompt_embeddings(target, texts, prompts, batch)
    for number, prompt in enumerate(prompts):
        filled = [prompt.replace("{}", text) for text in texts]
        if filled:
            expected = functional.normalize(model.encode_text(tokenize(filled)), dim=-1)
            nearest = (found[:, number] * expected).sum(dim=-1).min()
            assert nearest >= (1 - 1e-6 if precision == "fp32" else 0.99)


def test_each_prompt_is_the_models_own_encoding(tiny_target):
    texts = ("Ada Roe", "{} of braces", "Bo Quetzalcoatl Li")
    found = prompt_embeddings(tiny_target, texts, PROMPTS, 64)
    assert found.shape == (3, 3, tiny_target.embed_dim)
    for row, text in enumerate(texts):
        for number, prompt in enumerate(PROMPTS):
            ids = tiny_target.tokenize([prompt.replace("{}", text)])
            with torch.no_grad():
                x = tiny_target.token_embeddings(ids)
                expected = tiny_target.forward_text(x, ids).embedding[0]
            torch.testing.assert_close(found[row, number], expected, rtol=0, atol=1e-6)


def test_texts_too_long_are_named_by_row_and_prompt_and_not_quoted(tiny_target):
    texts = ["Ada Roe", "x7 " * 11, "Bo Li", *["y8 " * 11] * 6]
    with pytest.raises(TextError) as caught:
        prompt_embeddings(tiny_target, texts, PROMPTS, 64)
    message = str(caught.value)
    assert "'a photo of {}'" in message
    assert "rows 1, 3, 4, 5, 6 and more" in message
    assert "x7" not in message


@given(counts=st.lists(st.integers(0, 40)), parts=st.integers(1, 9))
def test_whole_units_lose_nothing_but_a_remainder(counts, parts):
    steps = []
    advance = whole_units(steps.append, parts)
    for count in counts:
        advance(count)
    assert sum(steps) == sum(counts) // parts
    assert all(step > 0 for step in steps)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import TextError
from tuni.prompt_embeddings import prompt_embeddings, whole_units

PROMPTS = ("{}", "a photo of {}", "{} smiling")


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

"""Passes cover every text once, know its own tokens, and don't depend on the company."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.errors import TextError
from tuni.features.prompts import fill, may_exceed, prompt_passes

NAMES = ["Ada Roe", "Bo Li", "Bartholomew van der Zyl", "Q7% x!", "Ana Íñiguez"]


def spans(target, texts, prompt, batch=32):
    """Own tokens of each text, by row, as ids."""
    found = {}
    for some in prompt_passes(target, texts, prompt, batch):
        for place, row in enumerate(some.rows):
            assert row not in found
            found[int(row)] = some.ids[place, some.start : some.stop].tolist()
    assert sorted(found) == list(range(len(texts)))
    return [found[row] for row in range(len(texts))]


@pytest.mark.parametrize("prompt", ["{}", "a photo of {}", "{} smiling", "this is {} at home."])
def test_own_tokens_are_the_texts_tokens(tiny_target, prompt):
    alone = [
        tiny_target.tokenize([name])[0, 1 : count - 1].tolist()
        for name, count in zip(NAMES, tiny_target.token_counts(NAMES), strict=True)
    ]
    assert spans(tiny_target, NAMES, prompt) == alone


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_text_that_may_not_exceed_a_count_does_not(tiny_target, text, limit):
    assert may_exceed(text, limit) or tiny_target.token_counts([text])[0] <= limit


def test_all_before_the_own_tokens_is_shared(tiny_target):
    for some in prompt_passes(tiny_target, NAMES, "a photo of {}", 32):
        assert (some.ids[:, : some.start] == some.ids[0, : some.start]).all()
        assert some.start == 4


def test_letters_that_merge_with_the_template_count_as_the_texts_own(tiny_target):
    (own,) = spans(tiny_target, ["Sammy Davis Jr."], "this is {}.")
    (plain,) = spans(tiny_target, ["Sammy Davis Jr"], "{}")
    assert own[:-1] == plain
    assert len(own) == len(plain) + 1


def test_text_without_a_token_is_refused_by_row(tiny_target):
    with pytest.raises(TextError, match="row 1"):
        spans(tiny_target, ["Ada", " "], "a photo of {}")


def test_braces_of_a_text_are_text():
    assert fill("a photo of {}", "{0} {} {x}") == "a photo of {0} {} {x}"


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.sampled_from([*NAMES, "x", "Jo Ann Lee"]), min_size=1, max_size=90),
    batch=st.sampled_from([1, 8, 64, 256]),
)
def test_passes_have_few_shapes_and_cover_every_row(tiny_target, texts, batch):
    shapes = {
        len(some.ids): len(some.rows) for some in prompt_passes(tiny_target, texts, "{}", batch)
    }
    assert set(shapes) <= {batch, batch // 4, batch // 16}
    assert all(rows <= size for size, rows in shapes.items())
    spans(tiny_target, texts, "{}", batch)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_a_texts_bits_do_not_depend_on_the_company(tiny_target, threads):
    rng = np.random.default_rng(0)
    firsts, lasts = ("Ada", "Eleonora", "Xq", "Dietrich"), ("Roe", "Abercrombie", "van der Zyl")
    texts = [f"{firsts[i % 4]} {i % 23} {lasts[i % 3]}" for i in range(200)]

    def states(order, batch):
        found = np.zeros((len(texts), tiny_target.width), dtype=np.float32)
        chosen = [texts[i] for i in order]
        for some in prompt_passes(tiny_target, chosen, "a photo of {}", batch):
            with torch.no_grad():
                x = tiny_target.token_embeddings(some.ids)
                out = tiny_target.forward_text(x, some.ids, shared=some.start).hidden[0]
            found[np.array(order)[some.rows]] = out[: len(some.rows)].numpy()
        return found

    whole = states(list(range(200)), 64)
    assert np.array_equal(whole, states(rng.permutation(200).tolist(), 64))
    few = rng.permutation(200)[:7].tolist()
    assert np.array_equal(whole[few], states(few, 64)[few])

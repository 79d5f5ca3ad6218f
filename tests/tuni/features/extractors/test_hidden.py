"""Hidden states are open_clip's own, averaged over prompts, one row a text."""

import numpy as np
import pytest
import torch

from tuni.errors import SpecMismatch, TextError
from tuni.features.extractors.hidden import columns
from tuni.features.families.hidden import HiddenSpec
from tuni.features.prompts import fill
from tuni.model.load import load_target

TEXTS = ["Ada Roe", "Bartholomew van der Zyl", "Bo Li", "Q7% x!"]


def test_columns_are_the_means_of_the_full_model(make_folder):
    target = load_target(make_folder(text_cfg={"layers": 3}))
    spec = HiddenSpec(layers=(0, 2))
    steps = []
    found = columns(target, TEXTS, spec, 64, steps.append)
    assert set(found) == {"hidden.0", "hidden.2", "hidden.norm"}
    assert sum(steps) == len(TEXTS)
    for row, text in enumerate(TEXTS):
        states = []
        for prompt in spec.prompts:
            ids = target.tokenize([fill(prompt, text)])
            with torch.no_grad():
                states.append(target.forward_text(target.token_embeddings(ids), ids, 2).hidden)
        for layer in (0, 2):
            mean = torch.stack([state[layer][0] for state in states]).mean(dim=0).numpy()
            assert np.allclose(found[f"hidden.{layer}"][row], mean, atol=1e-5)
        assert found["hidden.norm"][row, 0] == pytest.approx(
            np.linalg.norm(found["hidden.0"][row]), rel=1e-6
        )
    assert all(array.dtype == np.float32 for array in found.values())


def test_norm_is_of_the_last_layer_even_where_that_is_not_asked_for(tiny_target):
    both = columns(tiny_target, TEXTS, HiddenSpec(), 64, lambda _units: None)
    one = columns(tiny_target, TEXTS, HiddenSpec(layers=(1,)), 64, lambda _units: None)
    assert set(one) == {"hidden.1", "hidden.norm"}
    assert np.array_equal(one["hidden.norm"], both["hidden.norm"])


def test_layer_that_the_tower_lacks_is_refused(tiny_target):
    with pytest.raises(SpecMismatch, match="layers 0 to 1"):
        columns(tiny_target, TEXTS, HiddenSpec(layers=(2,)), 64, lambda _units: None)


def test_text_too_long_under_a_prompt_is_refused(tiny_target):
    with pytest.raises(TextError, match="longer than the 24 tokens"):
        columns(tiny_target, [" ".join("abcdefghijklmnopqrstu")], HiddenSpec(), 8, print)

"""Noise and Jacobian against brute force over the whole, unshared forward pass."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuni.features.extractors.jacobian import columns as jacobian_columns
from tuni.features.extractors.jacobian import orthonormal_directions
from tuni.features.extractors.noise import columns as noise_columns
from tuni.features.extractors.noise import unit_draws
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.prompts import fill
from tuni.model.load import load_target

TEXTS = ["Ada Roe", "Bartholomew van der Zyl", "Bo Li", "Q7% x!"]
HEAD = {"{}": 1, "a photo of {}": 4}  # positions before the text's own tokens


def silent(_units):
    return None


def own_positions(target, prompt, text):
    start = HEAD[prompt]
    return slice(start, int(target.token_counts([fill(prompt, text)])[0]) - 1)


def brute_jacobian(target, spec, text, relative):
    logs = []
    for prompt in spec.prompts:
        ids = target.tokenize([fill(prompt, text)])
        x = target.token_embeddings(ids)
        matrix = torch.autograd.functional.jacobian(
            lambda moved, ids=ids: target.forward_text(moved, ids).embedding[0], x
        )[:, 0]  # (embed_dim, positions, width)
        along = torch.einsum("vd,dpw->vpw", orthonormal_directions(spec, target.embed_dim), matrix)
        squares = along.square().sum(dim=2)
        if relative:
            squares = squares * x[0].square().sum(dim=1)
        own = own_positions(target, prompt, text)
        logs.append(math.log(float(squares[:, own].sum()) / spec.directions))
    return -sum(logs) / len(logs)


def test_jacobian_is_that_of_the_whole_model_along_the_directions(tiny_target):
    spec, steps = JacobianSpec(), []
    found = jacobian_columns(tiny_target, TEXTS, spec, 64, steps.append)
    for row, text in enumerate(TEXTS):
        for name, relative in (("jacobian_relative", True), ("jacobian_absolute", False)):
            expected = brute_jacobian(tiny_target, spec, text, relative)
            assert found[name][row, 0] == pytest.approx(expected, abs=1e-4)
    assert sum(steps) == len(TEXTS)
    assert {array.shape for array in found.values()} == {(len(TEXTS), 1)}


def test_noise_is_the_mean_log_of_how_far_the_embedding_turns(tiny_target):
    spec, steps = NoiseSpec(draws=3, sigma=0.2), []
    found = noise_columns(tiny_target, TEXTS, spec, 64, steps.append)["noise"]
    draws = unit_draws(spec, tiny_target.context_length, tiny_target.width)
    for row, text in enumerate(TEXTS):
        terms = []
        for prompt in spec.prompts:
            ids = tiny_target.tokenize([fill(prompt, text)])
            x = tiny_target.token_embeddings(ids)
            own = own_positions(tiny_target, prompt, text)
            with torch.no_grad():
                still = tiny_target.forward_text(x, ids).embedding[0].double()
                for draw in draws:
                    moved = x.clone()
                    reach = 0.2 * x[0, own].norm(dim=1, keepdim=True)
                    moved[0, own] += reach * draw[: own.stop - own.start]
                    turned = tiny_target.forward_text(moved, ids).embedding[0].double()
                    terms.append(-math.log(max(1 - float(turned @ still), 1e-7)))
        assert found[row, 0] == pytest.approx(np.mean(terms), abs=2e-2)
    assert sum(steps) == len(TEXTS)


def test_without_noise_stability_is_at_its_ceiling(tiny_target):
    found = noise_columns(tiny_target, TEXTS, NoiseSpec(sigma=0.0), 64, silent)["noise"]
    assert np.allclose(found, -math.log(1e-7))


def test_more_noise_is_less_stability(tiny_target):
    little, much = (
        noise_columns(tiny_target, TEXTS, NoiseSpec(sigma=sigma), 64, silent)["noise"]
        for sigma in (0.05, 0.5)
    )
    assert (little > much).all()


def test_text_whose_tokens_hardly_matter_is_the_stabler_one(make_folder):
    """The direction of both features: higher where the embedding turns less."""
    target = load_target(make_folder())
    flat = load_target(make_folder())
    with torch.no_grad():  # the same model, its tokens worth a tenth against the positions
        flat._text.positional_embedding.mul_(10)
    for measure, spec in ((noise_columns, NoiseSpec()), (jacobian_columns, JacobianSpec())):
        for name, steep in measure(target, TEXTS, spec, 64, silent).items():
            assert (measure(flat, TEXTS, spec, 64, silent)[name] > steep).all()


def test_equal_calls_give_equal_bits_and_another_seed_does_not(tiny_target):
    one, two, other = (
        jacobian_columns(tiny_target, TEXTS, JacobianSpec(seed=seed), 64, silent)
        for seed in (0, 0, 1)
    )
    for name, array in one.items():
        assert np.array_equal(array, two[name])
        assert not np.array_equal(array, other[name])


def test_company_and_order_move_no_bit(tiny_target):
    texts = [f"Name{i} Other{j}" for i in range(8) for j in range(8)]
    whole = jacobian_columns(tiny_target, texts, JacobianSpec(), 32, silent)["jacobian_relative"]
    some = [40, 3, 17]
    few = jacobian_columns(tiny_target, [texts[i] for i in some], JacobianSpec(), 32, silent)
    assert np.array_equal(few["jacobian_relative"], whole[some])


def test_lower_precision_and_a_tower_that_needs_its_padding_serve_too(tiny_folder, make_folder):
    other = make_folder(text_cfg={"no_causal_mask": True}, custom_text=True)
    for target in (load_target(tiny_folder, precision="bf16"), load_target(other)):
        for found in (
            noise_columns(target, TEXTS, NoiseSpec(), 16, silent),
            jacobian_columns(target, TEXTS, JacobianSpec(), 16, silent),
        ):
            assert all(np.isfinite(array).all() for array in found.values())


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 20), size=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_directions_are_orthonormal_and_draws_have_unit_length(count, size, seed):
    rows = orthonormal_directions(JacobianSpec(directions=count, seed=seed), size)
    assert rows.shape == (min(count, size), size)
    assert torch.allclose(rows @ rows.T, torch.eye(len(rows)), atol=1e-5)
    draws = unit_draws(NoiseSpec(draws=count, seed=seed), 5, size)
    assert torch.allclose(draws.norm(dim=2), torch.ones(count, 5), atol=1e-5)

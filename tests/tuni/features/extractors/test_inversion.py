"""The paper's inversion, held against a plain version of Algorithm 1."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from tuni.errors import RequestError
from tuni.features.extractors.inversion import columns, inverted_embeddings
from tuni.features.families.inversion import InversionSpec
from tuni.hashing import derive_seed

TEXTS = ("Ada Roe", "Bo Li", "Maximiliane Quetzalcoatl", "qz#7 k!", "Jon Smith")
SMALL = InversionSpec(restarts=2, steps=6)


def invert(target, texts, spec, batch=64):
    return columns(target, texts, spec, batch, lambda _count: None)


def changed(**changes):
    return dataclasses.replace(SMALL, **changes)


def plain(target, text, spec):
    """Algorithm 1 with torch's own Adam, one image at a time; returns cosines and ends."""
    ids = target.tokenize([spec.prompt.replace("{}", text)])
    with torch.no_grad():
        goal = target.forward_text(target.token_embeddings(ids), ids).embedding[0]
    cosines, ends = [], []
    for restart in range(spec.restarts):
        seed = derive_seed(spec.seed, f"inversion start {restart}")
        generator = torch.Generator().manual_seed(seed)
        side = target.media.shape[1]
        image = 0.5 * torch.randn(1, 3, side, side, generator=generator)
        image.requires_grad_()
        adam = torch.optim.Adam([image], lr=0.3)
        path = []
        for _ in range(spec.steps):
            adam.zero_grad()
            cosine = functional.cosine_similarity(target.encode_media(image)[0], goal, dim=0)
            path.append(cosine.item())
            (-cosine).backward()
            adam.step()
        with torch.no_grad():
            ends.append(target.encode_media(image)[0])
        cosines.append([*path, functional.cosine_similarity(ends[-1], goal, dim=0).item()])
    return np.array(cosines), torch.stack(ends).double().numpy()


@pytest.mark.parametrize(
    "spec",
    [
        changed(steps=20),
        changed(restarts=3, seed=5),
        changed(restarts=1, prompt="{}"),
    ],
)
def test_equals_a_plain_algorithm_1(tiny_target, spec):
    found = invert(tiny_target, TEXTS[:3], spec)
    for row, text in enumerate(TEXTS[:3]):
        cosines, ends = plain(tiny_target, text, spec)
        marks = [max(1, round(share * spec.steps)) for share in spec.curve]
        centre = ends.mean(axis=0)
        pairs = [
            1 - ends[i] @ ends[j] for i in range(len(ends)) for j in range(len(ends)) if i != j
        ]
        expected = {
            "inversion.S": cosines[:, -1].mean(),
            "inversion.D_rms": np.sqrt(((ends - centre) ** 2).sum(axis=1).mean()),
            "inversion.D_std": ends.std(axis=0).mean(),
            "inversion.D_cos": np.mean(pairs) if pairs else 0.0,
            "inversion.curve": cosines[:, marks].mean(axis=0),
        }
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][row], np.atleast_1d(value), rtol=0, atol=1e-5)


def test_the_images_themselves_are_those_of_the_columns(tiny_target):
    ends = inverted_embeddings(tiny_target, TEXTS, SMALL, 64, lambda _count: None)
    assert ends.shape == (len(TEXTS), SMALL.restarts, tiny_target.embed_dim)
    for text, own in zip(TEXTS, ends, strict=True):
        _, expected = plain(tiny_target, text, SMALL)
        np.testing.assert_allclose(own, np.stack(expected), atol=2e-5)


def test_a_text_does_not_feel_its_company(tiny_target):
    """Bit for bit: alone, first, last, in a full pass or in several."""
    spec = changed(restarts=3)
    many = tuple(f"{text} {number}" for number in range(6) for text in TEXTS)
    together = invert(tiny_target, many, spec)
    for rows in ([0], [29], [3, 17, 4], list(range(29, -1, -1))):
        some = invert(tiny_target, [many[row] for row in rows], spec)
        for name, array in some.items():
            np.testing.assert_array_equal(array, together[name][rows])


def test_repeats_bit_for_bit_and_leaves_the_global_generator_alone(tiny_target):
    spec = changed(restarts=3)
    state = torch.get_rng_state()
    first, second = (invert(tiny_target, TEXTS, spec) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_more_steps_bring_nothing_more_back_from_the_device(tiny_target, monkeypatch):
    """The inner loop of the inversion never waits for a device to give a number back."""
    taken = []
    for name in ("cpu", "item", "tolist", "numpy", "__bool__", "__float__"):
        kept = getattr(torch.Tensor, name)

        def counted(tensor, *given, _kept=kept, **named):
            taken.append(1)
            return _kept(tensor, *given, **named)

        monkeypatch.setattr(torch.Tensor, name, counted)
    counts = []
    for steps in (2, 9):
        taken.clear()
        invert(tiny_target, TEXTS, changed(steps=steps, curve=(1.0,)))
        counts.append(len(taken))
    assert counts[0] == counts[1] > 0


def test_climbs_and_ends_the_curve_at_s(tiny_target):
    found = invert(tiny_target, TEXTS, changed(steps=20))
    curve = found["inversion.curve"]
    assert (np.diff(curve, axis=1) > 0).all()
    np.testing.assert_allclose(curve[:, -1:], found["inversion.S"], rtol=0, atol=1e-6)


def test_d_cos_is_d_rms_squared_up_to_a_factor(tiny_target):
    found = invert(tiny_target, TEXTS, changed(restarts=4))
    expected = found["inversion.D_rms"] ** 2 * 4 / 3
    np.testing.assert_allclose(found["inversion.D_cos"], expected, rtol=1e-4)


def test_one_restart_has_no_spread(tiny_target):
    found = invert(tiny_target, TEXTS, changed(restarts=1))
    for name in ("inversion.D_rms", "inversion.D_std", "inversion.D_cos"):
        assert not found[name].any()


def test_every_text_starts_from_the_same_images(tiny_target):
    twins = ("Ada Roe", "ADA ROE")  # the tokenizer lowers case
    found = invert(tiny_target, twins, SMALL)["inversion.S"]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"restarts": 3},
        {"prompt": "{}"},
    ],
)
def test_every_option_moves_the_result(tiny_target, other):
    base, moved = (invert(tiny_target, TEXTS[:2], spec) for spec in (SMALL, changed(**other)))
    assert (base["inversion.S"] != moved["inversion.S"]).any()


def test_the_curve_is_the_cosine_after_so_many_steps(tiny_target):
    found = invert(tiny_target, TEXTS, changed(curve=(0.5, 1.0)))
    np.testing.assert_allclose(found["inversion.curve"][:, 1:], found["inversion.S"], atol=1e-6)
    half = invert(tiny_target, TEXTS, changed(steps=3))["inversion.S"]
    np.testing.assert_allclose(found["inversion.curve"][:, :1], half, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("restarts", 0),
        ("steps", 0),
        ("curve", (0.0, 1.0)),
        ("curve", (1.5,)),
    ],
)
def test_options_out_of_range_are_named(tiny_target, option, value):
    with pytest.raises(RequestError, match=rf"inversion\.{option}: .*expected"):
        invert(tiny_target, TEXTS, changed(**{option: value}))


def test_progress_counts_texts(tiny_target):
    steps = []
    columns(tiny_target, TEXTS, SMALL, 8, steps.append)
    assert sum(steps) == len(TEXTS)
    assert len(steps) > 1


def test_no_text_gives_empty_columns(tiny_target):
    found = invert(tiny_target, (), SMALL)
    assert found["inversion.S"].shape == (0, 1)
    assert found["inversion.curve"].shape == (0, 4)


def test_works_on_a_resnet(make_folder):
    from tuni.model.load import load_target

    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    target = load_target(make_folder(vision_cfg=vision))
    spec = changed(steps=3, restarts=1)
    found = invert(target, TEXTS[:1], spec)["inversion.S"]
    np.testing.assert_allclose(found[0], plain(target, TEXTS[0], spec)[0][0, -1], atol=1e-5)

"""One suite that every family of models passes, small and with random weights."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from tests.small_models import FAMILIES
from tuni.errors import PictureError, TextError
from tuni.features.extract import extract
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.prompt_embeddings import prompt_embeddings
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.model.load import load_target
from tuni.model.registry import BUILT_IN, kinds

TEXTS = ["Ada Roe", "a photo of Ada Roe", "José Ángel Núñez", "mary smith", "O'Neill"]
# Parts of these compute in single precision whatever they are given.
# Step and tolerance of their differences; sounds have a narrow one, their models are steep.
CAUSAL = ("open_clip", "open_clip worldwide", "open_clip worldwide, text apart")
SINGLE = dict.fromkeys((*CAUSAL, "open_clip mT5", "AlignModel"), (1e-3, 0.02))
SINGLE |= dict.fromkeys(("ClapModel", "ClapModel fused"), (1e-5, 1e-3))
PROMPTS = ("{}", "a photo of {}")


# Kinds of other packages bring their own small checkpoint.
OTHERS = {kind.name: import_module(kind.module).SMALL for kind in kinds()[len(BUILT_IN) :]}
ALL = FAMILIES | OTHERS


@pytest.fixture(scope="module", params=ALL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("family") / "checkpoint"
    ALL[name].write(folder)
    return folder


@pytest.fixture(scope="module")
def target(folder):
    return load_target(folder)


def embed(target, texts, **how):
    ids = target.tokenize(texts)
    return target.forward_text(target.token_embeddings(ids), ids, **how)


def test_texts_media_and_pictures_are_the_librarys(name, folder, target):
    library = ALL[name].library(folder)
    media = torch.randn(3, *target.media.shape)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    with torch.no_grad():
        texts = functional.normalize(library.texts(TEXTS), dim=-1)
        embedded = functional.normalize(library.media(media), dim=-1)
        torch.testing.assert_close(embed(target, TEXTS).embedding, texts, rtol=0, atol=1e-6)
        torch.testing.assert_close(target.encode_media(media), embedded, rtol=0, atol=1e-6)
    if target.media.kind == "sound":
        with pytest.raises(PictureError, match="hears sounds"):
            target.preprocess(Image.fromarray(noise))
    elif name != "Siglip2Model":  # which cuts a picture into as many patches as its shape asks for
        picture = Image.fromarray(noise)
        assert torch.equal(target.preprocess(picture), library.picture(picture))
    assert target.trimmed == ALL[name].trimmed


def test_one_hidden_state_a_block_and_another_for_each_text(target):
    hidden = embed(target, TEXTS, layers=target.layers - 1).hidden
    assert len(hidden) == target.layers
    for state in hidden:
        assert state.shape == (len(TEXTS), target.width)
        assert state.std(dim=0).min() > 0


def test_gradients_are_those_of_finite_differences(name, folder):
    """In double precision, where differences are exact enough to be compared."""
    target = load_target(folder)
    model = getattr(target, "_model", None) or target._hooked.model
    model.double()
    target._dtype = torch.float64
    ids = target.tokenize(TEXTS[:2])
    generator = torch.Generator().manual_seed(3)
    size = (2, *target.media.shape)
    inputs = {
        "text": (lambda x: target.forward_text(x, ids).embedding, target.token_embeddings(ids)),
        "media": (target.encode_media, torch.randn(size, generator=generator)),
    }
    for run, start in inputs.values():
        x = start.double().requires_grad_()
        along = torch.randn(2, target.embed_dim, generator=generator, dtype=torch.float64)
        step = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        (gradient,) = torch.autograd.grad((run(x) * along).sum(), x)
        with torch.no_grad():
            size, tolerance = SINGLE.get(name, (1e-5, 1e-5))
            ahead, behind = ((run(x + e * step) * along).sum() for e in (size, -size))
        expected = float(ahead - behind) / (2 * size)
        assert float((gradient * step).sum()) == pytest.approx(expected, rel=tolerance, abs=1e-7)
        assert gradient.abs().sum() > 0


def test_a_text_does_not_feel_its_company(target):
    names = [*TEXTS, "x", "Bo Li", "Jean-Luc Picard de la Tour"]
    together = prompt_embeddings(target, names, PROMPTS, 16)
    for rows in ([0], [4, 2, 1], [7, 0]):
        alone = prompt_embeddings(target, [names[row] for row in rows], PROMPTS, 16)
        assert torch.equal(alone, together[rows])


def test_all_features_are_finite(target):
    spec = FeatureSpec(
        (),
        batch=16,
        families=by_family(
            HiddenSpec(prompts=PROMPTS, neighbours=0),
            NoiseSpec(prompts=PROMPTS, draws=2),
            JacobianSpec(prompts=PROMPTS),
            InversionSpec(restarts=1, steps=2),
        ),
    )
    for column in extract(target, TEXTS, spec, neighbours=False).columns.values():
        assert np.isfinite(column).all()


def test_what_is_too_long_or_holds_a_mark_is_refused_by_row(target):
    with pytest.raises(TextError, match="row 1"):
        target.tokenize(["x", " ".join(["xylophone"] * target.context_length)])
    for word in target.special_words:
        with pytest.raises(TextError, match="special token of the tokenizer stands in row 1"):
            target.tokenize(["x", f"Ada {word} Roe"])


def test_fingerprint_is_of_all_that_moves_features(name, folder, target, tmp_path):
    assert load_target(folder).fingerprint == target.fingerprint
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    path = copy / "tokenizer_config.json"
    if not path.is_file():
        return  # where the tokenizer belongs to the program
    path.write_text(json.dumps(json.loads(path.read_text()) | {"note": "another"}))
    assert load_target(copy).fingerprint != target.fingerprint

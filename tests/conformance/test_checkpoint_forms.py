"""Every form in which people hold a checkpoint: the library's own embeddings, or a way out.

How weights are stored in files is told in `tests/tuni/model/reading`, pictures' preparation in
`tests/tuni/model/test_preprocessing.py`, embeddings of each family in `test_targets.py`.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.objects import save_tiny, tiny_settings
from tests.small_models import FAMILIES, SmallFamily, open_family
from tuni.errors import CheckpointError
from tuni.model.load import load_target
from tuni.model.reading.source import CheckpointSource
from tuni.model.registry import kind_of

SAFE, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"
TEXTS = ["Ada Roe", "a photo of Bo van der Zyl"]


def own(**changes):
    """A folder of open_clip's, of changed settings."""
    return lambda folder: {"folder": save_tiny(folder, tiny_settings(**changes))}


def of_family(family: SmallFamily | str, *changes):
    """A small checkpoint of a family, changed."""

    def write(folder: Path):
        (FAMILIES[family] if isinstance(family, str) else family).write(folder)
        for change in changes:
            change(folder)
        return {"folder": folder}

    return write


def edited(name, **changes):
    def change(folder):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def text_settings(**changes):
    def change(folder):
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["text_cfg"] |= changes
        (folder / CONFIG).write_text(json.dumps(config))

    return change


def without(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def renamed(old, new):
    return lambda folder: (folder / old).rename(folder / new)


def published(folder):
    """As LAION's repositories: the files of both libraries in one folder."""
    save_tiny(folder, tiny_settings())
    shutil.copy(folder / SAFE, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "clip"}')
    return {"folder": folder}


def one_file(architecture, change=lambda tensors: tensors):
    def write(folder):
        save_tiny(folder, tiny_settings())
        save_file(change(load_file(folder / SAFE)), folder / "weights.safetensors")
        return {"architecture": architecture, "weights": folder / "weights.safetensors"}

    return write


def nllb(size):
    return transformers.M2M100Config(
        d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_position_embeddings=40, vocab_size=size,
    )  # fmt: skip


WORKS = {
    "a folder of open_clip's": own(),
    "quick GELU": own(quick_gelu=True),
    "a text tower by itself": own(custom_text=True),
    "no projection": own(embed_dim=64, text_cfg={"proj_type": "none"}, custom_text=True),
    "arguments of activation and norm": own(
        text_cfg={"act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6}},
        custom_text=True,
    ),
    "norms of queries and keys": own(text_cfg={"qk_norm": True}),
    "a bias of the logits": own(init_logit_bias=-10.0),
    "no causal mask": own(text_cfg={"no_causal_mask": True}, custom_text=True),
    "read at the first position": own(
        text_cfg={"no_causal_mask": True, "pool_type": "first"}, custom_text=True
    ),
    "read at the end's id": own(text_cfg={"pool_type": "eos", "eos_id": 49407}, custom_text=True),
    "files of two libraries": published,
    "weights under a hub's name": lambda folder: (
        save_tiny(folder, tiny_settings()), renamed(SAFE, "model.safetensors")(folder),
        {"folder": folder},
    )[-1],
    "a language token first (NLLB)": of_family(
        open_family("roberta", {"hf_pooler_type": "cls_pooler", "hf_proj_type": "mlp"}, hub=nllb)
    ),
}  # fmt: skip
HELPS = "tokenizer's files as checkpoint.folder"
REFUSED = {
    "a tokenizer that a hub holds": (
        one_file("ViT-B-16-SigLIP"), "hf_tokenizer_name", HELPS,
    ),
    "a text tower that a hub holds": (
        one_file("xlm-roberta-base-ViT-B-32"), "hf_(model|tokenizer)_name", HELPS,
    ),
    "a text tower without its config": (
        of_family("open_clip XLM-R", without("config.json")), "config.json is not in the folder",
        "copy it there",
    ),
    "no tokenizer": (
        of_family("open_clip SigLIP", without("spiece.model", "tokenizer_config.json")),
        "no tokenizer in it", "save_pretrained",
    ),
    "another pooling": (
        of_family("open_clip BERT", text_settings(hf_pooler_type="max_pooler")),
        "hf_pooler_type: expected one of", "was trained with",
    ),
    "read where a causal tower sees nothing": (
        own(text_cfg={"pool_type": "first"}, custom_text=True), "same embedding", "pool_type",
    ),
    "weights of other sizes": (one_file("ViT-B-32"), "missing|unknown|shape", "settings that"),
    "an architecture misspelled": (one_file("ViT-B32"), "is not one of open_clip's", "ViT-B-32"),
    "pictures prepared in two ways": (one_file("ViT-L-14"), "preprocess: missing", "openai"),
    "two prefixes": (
        one_file(
            "ViT-B-32",
            lambda tensors: {f"model.{name}": tensor for name, tensor in tensors.items()}
            | {"loss.weight": torch.zeros(2)},
        ),
        r"names begin with 'model\.', but not loss\.weight", "state dict of the CLIP model",
    ),
    "an unknown family": (
        of_family("CLIPModel", edited("config.json", model_type="flava")),
        "'flava' is not supported", "clip, ",
    ),
    "quantised": (
        of_family("CLIPModel", edited("config.json", quantization_config={"bits": 4})),
        "quantised", "float16",
    ),
    "code of its own": (
        of_family("CLIPModel", edited("config.json", auto_map={"AutoModel": "x.Y"})),
        "auto_map", "without auto_map",
    ),
    "an empty folder": (
        lambda folder: (folder.mkdir(), {"folder": folder})[-1], "holds no checkpoint",
        "open_clip_config.json",
    ),
    "a spectrogram of another model": (
        of_family("ClapModel", edited("preprocessor_config.json", feature_size=32)),
        "none of this model's", "feature extractor",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", WORKS)
def test_what_people_hold_gives_the_librarys_embeddings(form, tmp_path):
    given = WORKS[form](tmp_path / "checkpoint")
    if form == "weights under a hub's name":  # open_clip's own loader looks for it at a hub alone
        shutil.copy(given["folder"] / "model.safetensors", given["folder"] / SAFE)
    expected = FAMILIES["open_clip"].library(given["folder"]).texts(TEXTS)
    target = load_target(**given)
    ids = target.tokenize(TEXTS)
    with torch.no_grad():
        embedded = target.forward_text(target.token_embeddings(ids), ids).embedding
    expected = torch.nn.functional.normalize(expected, dim=-1)
    torch.testing.assert_close(embedded, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", REFUSED)
def test_the_others_are_refused_with_a_fix_to_follow(form, tmp_path):
    write, reason, fix = REFUSED[form]
    given = write(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_target(**given)
    assert re.search(fix, caught.value.fix)


@pytest.mark.parametrize(
    "form", ["an unknown family", "quantised", "code of its own", "an empty folder"]
)
def test_what_a_folder_tells_is_refused_before_anything_is_loaded(form, tmp_path):
    write, reason, _ = REFUSED[form]
    given = write(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match=reason):
        kind_of(CheckpointSource(**given))

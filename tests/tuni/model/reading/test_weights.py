"""Every form in which people hold weights is read as the same checkpoint, or named."""

import argparse
import json
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tuni.errors import CheckpointError
from tuni.model.checkpoint import read_folder
from tuni.model.load import load_target
from tuni.model.reading.weights import stored_tensors

SAFE, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"
TEXTS = ["Ada Roe", "a photo of Bo van der Zyl"]


@pytest.fixture
def folder(tiny_folder, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def shards(folder, tensors, stem="model"):
    """Two shards with their index, in the place of the one file."""
    names = sorted(tensors)
    parts = {f"{stem}-1-of-2.safetensors": names[::2], f"{stem}-2-of-2.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({name: tensors[name] for name in inside}, folder / file)
    index = {name: file for file, inside in parts.items() for name in inside}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def saved(name, change=lambda tensors: tensors):
    """What torch.save writes under a name, for a changed state dict."""
    return lambda folder, tensors: torch.save(change(tensors), folder / name)


def training(tensors, prefix="module."):
    """A checkpoint of a training run, with what stands beside the tensors."""
    return {
        "epoch": np.int64(3), "loss": np.float32(0.5), "args": argparse.Namespace(name="run"),
        "state_dict": {f"{prefix}{name}": tensor for name, tensor in tensors.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": []},
    }  # fmt: skip


def prefixed(*prefixes):
    return lambda tensors: {
        f"{''.join(prefixes)}{name}": tensor for name, tensor in tensors.items()
    }


FORMS = {
    "open_clip's other safetensors": lambda folder, tensors: save_file(
        tensors, folder / "open_clip_pytorch_model.safetensors"
    ),
    "safetensors of a hub": lambda folder, tensors: save_file(
        tensors, folder / "model.safetensors"
    ),
    "bin": saved("open_clip_pytorch_model.bin"),
    "shards": shards,
    "open_clip's shards": lambda folder, tensors: shards(folder, tensors, "open_clip_model"),
    "training": saved("open_clip_pytorch_model.bin", training),
    "compiled": saved("pytorch_model.bin", prefixed("_orig_mod.")),
    "compiled and distributed": saved("pytorch_model.bin", prefixed("module.", "_orig_mod.")),
    "Lightning": saved("model.pth", lambda tensors: {"state_dict": prefixed("model.")(tensors)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_checkpoint(tiny_folder, folder, form):
    tensors = load_file(folder / SAFE)
    (folder / SAFE).unlink()
    FORMS[form](folder, tensors)
    assert read_folder(folder).fingerprint == read_folder(tiny_folder).fingerprint


def test_checkpoint_of_a_training_stands_beside_its_own_config(tiny_folder, folder):
    torch.save(training(load_file(folder / SAFE)), folder.parent / "epoch_3.pt")
    (folder / SAFE).unlink()
    target = load_target(folder, weights=folder.parent / "epoch_3.pt")
    assert target.fingerprint == read_folder(tiny_folder).fingerprint


@pytest.mark.parametrize("name", ["logit_scale", "logit_bias"])
def test_a_scale_may_be_a_list_of_one_number(make_folder, name):
    folder = make_folder(init_logit_bias=-10.0)
    tensors = load_file(folder / SAFE)
    save_file(tensors | {name: tensors[name].reshape(1)}, folder / SAFE)
    load_target(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_computed_with_in_float32(folder, dtype):
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(folder / SAFE).items()}
    save_file(tensors, folder / SAFE)
    checkpoint = read_folder(folder)
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {torch.float32}
    assert torch.equal(checkpoint.tensors["ln_final.bias"], tensors["ln_final.bias"].float())


def test_names_of_a_hub_are_not_read_before_open_clips(folder):
    save_file({"other": torch.zeros(2)}, folder / "model.safetensors")
    assert load_target(folder)


def test_keys_of_a_published_config_that_say_nothing_are_kept_out(tiny_folder, folder):
    config = json.loads((folder / CONFIG).read_text()) | {"license": "mit", "tags": []}
    (folder / CONFIG).write_text(json.dumps(config))
    assert read_folder(folder).fingerprint == read_folder(tiny_folder).fingerprint
    config["preproces_cfg"] = config.pop("preprocess_cfg")
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="did you mean 'preprocess_cfg'"):
        read_folder(folder)


def test_a_prefix_that_not_all_names_have_is_named(folder):
    tensors = prefixed("model.")(load_file(folder / SAFE))
    save_file(tensors | {"loss.weight": torch.zeros(2)}, folder / SAFE)
    with pytest.raises(CheckpointError, match=r"names begin with 'model\.', but not loss\.weight"):
        load_target(folder)


FIRST = "model-1-of-2.safetensors"
BROKEN_SHARDS = {
    "missing": ({"shard": Path.unlink}, f"shard '{FIRST}' is missing"),
    "cut": ({"shard": lambda path: path.write_bytes(path.read_bytes()[:900])}, "truncated"),
    "of another model": (
        {"shard": lambda path: save_file({"ln_final.bias": torch.zeros(64)}, path)},
        f"{FIRST}: holds other tensors",
    ),
    "doubled": (
        {"shard": lambda path: shutil.copy(path.with_name("model-2-of-2.safetensors"), path)},
        f"{FIRST}: holds other tensors",
    ),
    "elsewhere": (
        {"index": lambda index: {"weight_map": dict.fromkeys(index["weight_map"], f"../{FIRST}")}},
        "missing",
    ),
    "no map": ({"index": lambda index: {"weight_map": [1]}}, "no weight_map"),
}


@pytest.mark.parametrize("kind", BROKEN_SHARDS)
def test_shards_that_do_not_fit_their_index_are_refused(folder, kind):
    changes, reason = BROKEN_SHARDS[kind]
    tensors = load_file(folder / SAFE)
    (folder / SAFE).unlink()
    shards(folder, tensors)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps(changes.get("index", dict)(json.loads(index.read_text()))))
    changes.get("shard", Path.exists)(folder / FIRST)
    with pytest.raises(CheckpointError, match=reason):
        read_folder(folder)


@pytest.mark.parametrize("name", [SAFE, CONFIG])
def test_a_pointer_of_git_lfs_is_named_as_what_it_is(folder, name):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 605000000\n"
    (folder / name).write_text(pointer)
    with pytest.raises(CheckpointError, match=f"{name}: a git-lfs pointer"):
        read_folder(folder)


@pytest.mark.parametrize("name", [SAFE, "open_clip_pytorch_model.bin"])
def test_memory_of_a_tensor_is_free_once_it_is_no_longer_held(folder, name):
    """So that loading holds all tensors in one precision, and one of them in two."""
    if name != SAFE:
        torch.save(load_file(folder / SAFE), folder / name)
    tensor = stored_tensors(folder / name)["token_embedding.weight"]()
    assert name not in Path("/proc/self/maps").read_text()
    memory = weakref.ref(tensor)
    del tensor
    assert memory() is None

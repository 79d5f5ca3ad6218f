"""A checkpoint is read whole, or refused with its own reason, and nothing in it ever runs."""

import contextlib
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tuni.errors import CheckpointError
from tuni.model.checkpoint import read_folder, read_weights
from tuni.model.load import load_target
from tuni.model.settings import check_config

SAFE, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"


@pytest.fixture
def folder(tiny_folder, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def rewrite(folder: Path, change) -> Path:
    """The folder with its tensors changed."""
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / SAFE).items()}
    change(tensors)
    save_file(tensors, folder / SAFE)
    return folder


def resave(folder: Path) -> None:
    """Put torch's own format under the other's name."""
    torch.save(load_file(folder / SAFE), folder / "new")
    (folder / "new").replace(folder / SAFE)


def reset(folder: Path, part: str, **changes) -> Path:
    """The folder with its settings changed; part "" is model_cfg itself."""
    config = json.loads((folder / CONFIG).read_text())
    place = config["model_cfg"][part] if part else config["model_cfg"]
    place.update(changes)
    (folder / CONFIG).write_text(json.dumps(config))
    return folder


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_fingerprint_is_of_content_not_of_place(tiny_folder, folder):
    (folder / CONFIG).write_text(
        json.dumps(json.loads((folder / CONFIG).read_text()), indent=4, sort_keys=True)
    )
    assert read_folder(folder).fingerprint == read_folder(tiny_folder).fingerprint
    assert len(read_folder(folder).fingerprint) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: rewrite(folder, lambda t: t["ln_final.weight"].add_(1e-7)),
        lambda folder: rewrite(folder, lambda t: t.update({k: v.half() for k, v in t.items()})),
        lambda folder: reset(folder, "", quick_gelu=True),
        lambda folder: reset(folder, "text_cfg", heads=4),
    ],
    ids=["a last bit", "precision", "activation", "heads"],
)
def test_fingerprint_moves_with_what_moves_features(tiny_folder, folder, change):
    assert read_folder(change(folder)).fingerprint != read_folder(tiny_folder).fingerprint


def test_spelled_default_activation_is_the_same_checkpoint(tiny_folder, folder):
    explicit = reset(folder, "", quick_gelu=False)
    assert read_folder(explicit).fingerprint == read_folder(tiny_folder).fingerprint


def test_plain_state_dict_of_torch_is_read_like_safetensors(tiny_folder, folder):
    tensors = load_file(folder / SAFE)
    state = {f"module.{name}": value for name, value in tensors.items()}
    torch.save({"state_dict": state, "epoch": 3}, folder / "open_clip_pytorch_model.bin")
    (folder / SAFE).unlink()
    assert read_folder(folder).fingerprint == read_folder(tiny_folder).fingerprint


def test_file_is_known_by_content_not_by_name(tiny_folder, folder):
    resave(folder)
    assert read_folder(folder).fingerprint == read_folder(tiny_folder).fingerprint


def test_loaded_target_outlives_its_file(folder):
    target = load_target(folder)
    ids = target.tokenize(["Ada Roe"])
    before = target.token_embeddings(ids).clone()
    (folder / SAFE).write_bytes(b"")
    assert torch.equal(target.token_embeddings(ids), before)


@pytest.mark.parametrize("name", [SAFE, CONFIG])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name.partition(".")[0]):
        read_folder(folder)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="'nowhere' is not a folder"):
        load_target(tmp_path / "nowhere")


@pytest.mark.parametrize("keep", [0, 1, 7, 1000, 100_000])
def test_truncated_weights_are_refused(folder, keep):
    (folder / SAFE).write_bytes((folder / SAFE).read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"truncated|empty"):
        read_folder(folder)


def test_truncated_torch_file_is_refused(folder):
    resave(folder)
    (folder / SAFE).write_bytes((folder / SAFE).read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="truncated"):
        read_folder(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(folder, value):
    rewrite(folder, lambda tensors: tensors["ln_final.bias"][0:1].fill_(value))
    with pytest.raises(CheckpointError, match=r"ln_final\.bias holds values that are not finite"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("ln_final.bias"), r"ln_final\.bias missing"),
        (lambda t: t.update(surplus=torch.zeros(2)), "surplus unknown"),
        (
            lambda t: t.update(positional_embedding=t["positional_embedding"][:20].clone()),
            r"positional_embedding has shape \(20, 64\), the settings ask for \(24, 64\)",
        ),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_weights_of_other_settings_are_refused(folder, change, reason):
    with pytest.raises(CheckpointError, match=reason):
        load_target(rewrite(folder, change))


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_code_is_refused_and_does_not_run(folder, tmp_path, legacy):
    trap = tmp_path / "ran"
    state = {"ln_final.bias": Bomb(trap)}
    torch.save(state, folder / SAFE, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="pickled objects or code"):
        read_folder(folder)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Bomb(trap)))  # noqa: S301  the trap does work
    assert trap.exists()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"model_cfg": 3}', b"[" * 200000])
def test_settings_that_are_no_settings_are_refused(folder, content):
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(CheckpointError, match=CONFIG):
        read_folder(folder)


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        ("", {"multimodal_cfg": {"widht": 64}}, "did you mean 'width'"),
        ("", {"embed_dims": 3}, "did you mean 'embed_dim'"),
        ("", {"embed_dim": 10**9}, "expected 1 to 8192"),
        ("", {"embed_dim": True}, "expected 1 to 8192"),
        (
            "text_cfg",
            {"hf_model_name": "hf-hub:somebody/model"},
            "config.json is not in the folder",
        ),
        ("text_cfg", {"hf_tokenizer_name": "somebody/model"}, "no tokenizer in it"),
        ("text_cfg", {"widht": 64}, "did you mean 'width'"),
        ("text_cfg", {"layers": 10**6}, "expected 1 to 256"),
        ("text_cfg", {"width": -1}, "expected 1 to"),
        ("text_cfg", {"heads": 3}, "does not divide"),
        ("text_cfg", {"vocab_size": 1000}, "less than the tokenizer's"),
        ("text_cfg", {"embed_cls": True}, "belongs to CoCa"),
        ("text_cfg", {"output_tokens": True}, "belongs to CoCa"),
        ("text_cfg", {"tokenizer_kwargs": {"bpe_path": "x"}}, "bpe_path"),
        ("text_cfg", {"mlp_ratio": 1e300}, "out of bounds"),
        ("text_cfg", {"pool_type": "sum"}, "cannot build"),
        ("vision_cfg", {"timm_model_name": "hf-hub:somebody/model"}, "timm_model_name"),
        ("vision_cfg", {"timm_model_pretrained": True}, "download"),
        ("vision_cfg", {"image_size": [32, 64]}, "square"),
        ("vision_cfg", {"patch_size": 64}, "patch_size"),
        ("vision_cfg", {"layers": []}, "layers"),
    ],
)
def test_unsafe_or_unknown_settings_are_refused(folder, part, changes, reason):
    with pytest.raises(CheckpointError, match=reason):
        load_target(reset(folder, part, **changes))


@pytest.mark.parametrize(
    "changes", [{"mean": [1, 2]}, {"std": [0, 1, 1]}, {"mode": "L"}, {"colour": 1}, {"size": None}]
)
def test_preprocessing_is_complete_or_refused(tiny_folder, changes):
    config = json.loads((tiny_folder / CONFIG).read_text())
    config["preprocess_cfg"] |= changes
    if changes == {"size": None}:
        assert check_config(config)[1]["size"] == 32
    else:
        with pytest.raises(CheckpointError, match="preprocess_cfg"):
            check_config(config)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=200)
@given(st.data())
def test_any_settings_are_accepted_or_refused_but_never_crash(tiny_folder, data):
    config = json.loads((tiny_folder / CONFIG).read_text())
    places = [config, config["model_cfg"], config["preprocess_cfg"]]
    places += [config["model_cfg"]["text_cfg"], config["model_cfg"]["vision_cfg"]]
    place = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from([*place, "quick_gelu", "custom_text", "norm_kwargs"]))
    place[key] = data.draw(json_values)
    if not isinstance(config.get("model_cfg"), dict):
        return
    with contextlib.suppress(CheckpointError):
        check_config(config)


@pytest.mark.parametrize(
    "architecture", ["RN50", "RN101", "RN50x4", "ViT-B-32", "ViT-B-16", "ViT-L-14"]
)
def test_papers_architectures_are_known_and_take_their_own_weights_only(tiny_folder, architecture):
    with pytest.raises(CheckpointError, match=r"weights: .* (missing|unknown|has shape)"):
        load_target(architecture=architecture, weights=tiny_folder / SAFE, preprocess="openai")


@pytest.mark.parametrize(
    ("architecture", "fix"), [("ViT-B32", "ViT-B-32"), ("hf-hub:a/b", "ViT-B-32")]
)
def test_unknown_architecture_is_refused_with_the_nearest(tiny_folder, architecture, fix):
    with pytest.raises(CheckpointError, match=fix):
        read_weights(architecture, tiny_folder / SAFE)


def test_a_text_tower_that_is_pooled_otherwise_is_refused(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')
    reset(folder, "text_cfg", hf_model_name="x", hf_pooler_type="max_pooler")
    with pytest.raises(CheckpointError, match="hf_pooler_type: expected one of mean_pooler"):
        load_target(folder)


def test_an_architecture_whose_tokenizer_a_hub_holds_is_refused_with_a_way_out(tiny_folder):
    with pytest.raises(CheckpointError, match="hf_tokenizer_name") as caught:
        load_target(architecture="ViT-B-16-SigLIP", weights=tiny_folder / SAFE)
    assert "tokenizer's files as checkpoint.folder" in caught.value.fix


def test_weights_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nothing is downloaded"):
        read_weights("ViT-B-32", tmp_path / "laion2b_s34b_b79k")


def test_half_a_source_is_refused(tiny_folder):
    for given_ in (
        {},
        {"architecture": "RN50"},
        {"folder": tiny_folder, "architecture": "RN50"},
        {"folder": tiny_folder, "preprocess": "openai"},
    ):
        with pytest.raises(CheckpointError, match="a folder, or an architecture with a weights"):
            load_target(**given_)

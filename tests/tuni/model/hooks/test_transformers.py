"""A folder of transformers is read whole and by itself, or refused with its own reason."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.small_models import FAMILIES
from tuni.errors import CheckpointError
from tuni.model.hooks.families import FAMILIES as SUPPORTED
from tuni.model.load import load_target

WEIGHTS = "model.safetensors"
TEXTS = ["Ada Roe", "a photo of Ada Roe"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A small SiglipModel; do not write into it."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    FAMILIES["SiglipModel"].write(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def edit(name, **changes):
    """Changes a JSON file of the folder; a table is merged, None removes a key."""

    def change(folder):
        table = json.loads((folder / name).read_text())
        for key, value in changes.items():
            merged = table.get(key, {}) | value if isinstance(value, dict) else value
            table[key] = merged
        (folder / name).write_text(json.dumps(table))

    return change


def rewrite(change):
    """Changes the tensors of the folder."""

    def run(folder):
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return run


def remove(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def pointer(name):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    return lambda folder: (folder / name).write_text(text)


def another_tokenizer(folder):
    remove("spiece.model", "tokenizer_config.json")(folder)
    FAMILIES["CLIPModel"].write(other := folder.parent / "other")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(other / name, folder / name)


REFUSED = {
    "unknown model_type": (edit("config.json", model_type="flava"), "model_type 'flava' is not"),
    "no model_type": (edit("config.json", model_type=None), "model_type None is not"),
    "code": (edit("config.json", auto_map={"AutoModel": "x--y.Z"}), "config.json: auto_map"),
    "code of a tokenizer": (
        edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["x.Y", None]}),
        "tokenizer_config.json: auto_map",
    ),
    "code for pictures": (
        edit("preprocessor_config.json", auto_map={"AutoImageProcessor": "x.Y"}),
        "preprocessor_config.json: auto_map",
    ),
    "quantised": (
        edit("config.json", quantization_config={"load_in_8bit": True}),
        "quantization_config: the weights are quantised",
    ),
    "endless": (
        edit("config.json", text_config={"num_hidden_layers": 10**6}),
        "text_config: num_hidden_layers: expected 1 to 256",
    ),
    "a size that is none": (
        edit("config.json", text_config={"hidden_size": "32"}),
        "hidden_size: expected 1 to",
    ),
    "of other sizes": (
        edit("config.json", text_config={"vocab_size": 900_000}),
        "mismatched for this config",
    ),
    "no tokenizer": (remove("spiece.model", "tokenizer_config.json"), "no tokenizer in it"),
    "another tokenizer": (another_tokenizer, "tokenizer: has ids up to"),
    "no processor": (remove("preprocessor_config.json"), "no preprocessor_config.json in it"),
    "no weights": (remove(WEIGHTS), "holds no weights"),
    "a tensor less": (
        rewrite(lambda tensors: tensors.pop("text_model.head.weight")),
        "1 missing for this config, such as text_model.head.weight",
    ),
    "a tensor more": (
        rewrite(lambda tensors: tensors.update(surplus=torch.zeros(2))),
        "1 unexpected for this config, such as surplus",
    ),
    "a number that is none": (
        rewrite(lambda tensors: tensors["logit_bias"].fill_(float("nan"))),
        "logit_bias holds values that are not finite",
    ),
    "weights that are a pointer": (pointer(WEIGHTS), f"{WEIGHTS}: a git-lfs pointer"),
    "a config that is a pointer": (pointer("config.json"), "config.json: a git-lfs pointer"),
    "a tokenizer that is a pointer": (pointer("spiece.model"), "spiece.model: a git-lfs pointer"),
    "a damaged tokenizer": (
        lambda folder: (folder / "spiece.model").write_bytes(b"x" * 40),
        "transformers cannot read its tokenizer",
    ),
    "padding before a text": (
        edit("tokenizer_config.json", padding_side="left"),
        "padding_side is left",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_missing_damaged_unsafe_or_anothers_is_named(folder, reason):
    change, message = REFUSED[reason]
    change(folder)
    with pytest.raises(CheckpointError, match=message):
        load_target(folder)


def test_nothing_is_filled_up_or_kept_by_chance(saved):
    """What transformers reads of its own folder, though the tensors went another way."""
    theirs = transformers.SiglipModel.from_pretrained(saved).state_dict()
    ours = load_target(saved)._hooked.model.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_shards_and_half_precision_are_read(saved, folder):
    model = transformers.SiglipModel.from_pretrained(saved)
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert (folder / f"{WEIGHTS}.index.json").is_file()
    sharded = load_target(folder)
    rewritten = {name: tensor.half() for name, tensor in load_file(saved / WEIGHTS).items()}
    (folder / f"{WEIGHTS}.index.json").unlink()
    save_file(rewritten, folder / WEIGHTS)
    half = load_target(folder)
    for target in (sharded, half):
        ids = target.tokenize(TEXTS)
        embedding = target.forward_text(target.token_embeddings(ids), ids).embedding
        whole = load_target(saved)
        expected = whole.forward_text(whole.token_embeddings(ids), ids).embedding
        torch.testing.assert_close(embedding, expected, rtol=0, atol=2e-3)
    assert load_target(saved).fingerprint == sharded.fingerprint


def test_an_open_clip_config_in_the_same_folder_is_read_first(folder, tiny_folder):
    for path in tiny_folder.iterdir():
        shutil.copy(path, folder / path.name)
    assert load_target(folder).fingerprint == load_target(tiny_folder).fingerprint


def test_states_are_read_before_the_norm_that_follows(tmp_path):
    """Of a BERT's block too, whose norm ends it: the length would be lost."""
    norms = {
        "ChineseCLIPModel": lambda text: text.encoder.layer[-1].output.LayerNorm,
        "CLIPModel": lambda text: text.final_layer_norm,
        "SiglipModel": lambda text: text.final_layer_norm,
    }
    for name, norm in norms.items():
        FAMILIES[name].write(tmp_path / name)
        target = load_target(tmp_path / name)
        ids = target.tokenize(TEXTS)
        state = target.forward_text(target.token_embeddings(ids), ids).hidden[0]
        text = target._hooked.model.text_model
        masked = {} if name == "SiglipModel" else {"attention_mask": target._mask(ids)}
        states = text(input_ids=ids, **masked).last_hidden_state
        ends = {"ChineseCLIPModel": [0, 0], "SiglipModel": [-1, -1]}.get(
            name, (target.token_counts(TEXTS) - 1).tolist()
        )
        torch.testing.assert_close(norm(text)(state), states[[0, 1], ends])


def test_lower_precision_stays_near_and_returns_float32(saved):
    low, whole = load_target(saved, precision="bf16"), load_target(saved)
    ids = whole.tokenize(TEXTS)
    near, exact = (t.forward_text(t.token_embeddings(ids), ids) for t in (low, whole))
    assert near.embedding.dtype == near.hidden[0].dtype == torch.float32
    assert ((near.embedding * exact.embedding).sum(dim=1) > 0.99).all()
    assert not torch.equal(near.embedding, exact.embedding)


def test_every_supported_family_is_in_the_conformance_suite():
    assert {family.model for family in SUPPORTED.values()} <= FAMILIES.keys()

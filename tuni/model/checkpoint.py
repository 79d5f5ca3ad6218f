"""Reading a checkpoint that nobody vouches for: settings and tensors, nothing that runs.

The one law: whatever is odd is refused here, with its reason, before a model is built. open_clip
itself loads a random model from a folder without weights, resizes a wrong positional embedding
and accepts weights that are not numbers, each without a word.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from open_clip.factory import get_model_config, list_models
from open_clip.pretrained import is_pretrained_cfg
from torch import Tensor

from tuni.errors import CheckpointError
from tuni.hashing import canonical_json
from tuni.model.preprocessing import known_keys, preprocessing_of
from tuni.model.reading.archive import Loader
from tuni.model.reading.json_table import read_json
from tuni.model.reading.weights import INDEX, OPENAI_KEYS, read_all, stored_tensors
from tuni.model.settings import check_config

CONFIG = "open_clip_config.json"
# In the order in which open_clip looks for them.
WEIGHTS = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth",
    "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
)  # fmt: skip

# What the settings say: kept by archives and by old versions of transformers.
_DERIVED = ("attn_mask", "text.attn_mask", "text.transformer.embeddings.position_ids")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint whose settings are known and whose tensors are finite.

    Attributes:
        model_cfg: open_clip's model settings, every key known and in bounds.
        preprocess_cfg: open_clip's image preprocessing, every key present.
        tensors: State dict by open_clip's names; all floats as float32.
        fingerprint: SHA-256 over all three, tensors as they were stored, 64 hexadecimal digits.
    """

    model_cfg: Mapping[str, Any]  # open_clip's own nested settings
    preprocess_cfg: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    fingerprint: str


def read_folder(folder: Path, weights: Path | None = None) -> Checkpoint:
    """Read a folder as open_clip saves it: settings next to weights.

    Args:
        folder: Holds `CONFIG`, and one of `WEIGHTS` or the index of its shards.
        weights: The file of weights where it is another one, such as a checkpoint of the training.

    Raises:
        CheckpointError: The folder or a file is missing, damaged, unsafe or out of bounds.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"checkpoint.folder: {folder.name!r} is not a folder",
            f"give a folder that holds {CONFIG} and {WEIGHTS[0]}",
        )
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"checkpoint.folder: no {CONFIG} in it", "save the checkpoint again with open_clip"
        )
    config = read_json(folder / CONFIG, "save the checkpoint again with open_clip")
    if not isinstance(config.get("model_cfg"), dict):
        raise CheckpointError(f"{CONFIG}: no model_cfg in it", "save it again with open_clip")
    known = ("model_cfg", "preprocess_cfg")
    others = [key for key in config if key not in known]
    known_keys([key for key in others if get_close_matches(key, known, n=1)], known, CONFIG)
    if others:
        _log.info("%s: not needed, and not read: %s", CONFIG, ", ".join(f"{o:.40}" for o in others))
    stored = stored_tensors(_existing(weights) if weights else _weights_in(folder))
    return _checkpoint(config, stored, folder)


def read_weights(architecture: str, weights: Path, preprocess: str | None = None) -> Checkpoint:
    """Read a weights file for a named architecture.

    Args:
        architecture: open_clip's name, such as ``"ViT-B-32-quickgelu"``. The activation is in no
            other weights than OpenAI's own files: some need the ``-quickgelu`` architecture.
        weights: The file: safetensors, an index of shards, tensors that torch saved, or a
            TorchScript archive.
        preprocess: Tag of open_clip's weights whose pictures were prepared as for these; needed
            where its weights of this architecture differ in that.

    Raises:
        CheckpointError: The architecture is unknown, or the file missing, damaged or unsafe.
    """
    model_cfg = None if ":" in architecture else get_model_config(architecture)
    if model_cfg is None:
        near = get_close_matches(architecture, list_models(), n=1)
        raise CheckpointError(
            f"checkpoint.architecture: {architecture[:60]!r} is not one of open_clip's",
            f"did you mean {near[0]!r}?" if near else "use a name such as 'ViT-B-32'",
        )
    stored = stored_tensors(_existing(weights))
    if preprocess is None and set(stored) >= OPENAI_KEYS:
        preprocess = "openai" if is_pretrained_cfg(architecture, "openai") else None
    preprocess_cfg = preprocessing_of(architecture, preprocess)
    return _checkpoint({"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}, stored)


def shapes_match(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not exactly the ones that the settings ask for.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape.
    """
    fix = "use the settings that the weights were trained with"
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    for prefix in {name.removesuffix(missing[0]) for name in extra if missing} - set(extra):
        others = [name for name in extra if not name.startswith(prefix)]
        raise CheckpointError(
            f"weights: names begin with {prefix!r}, but not {_some(others)}",
            "save the state dict of the CLIP model alone",
        )
    if missing:
        raise CheckpointError(f"weights: {_some(missing)} missing", fix)
    if extra:
        raise CheckpointError(f"weights: {_some(extra)} unknown to the settings", fix)
    for name, tensor in expected.items():
        if tensor.shape != found[name].shape:
            raise CheckpointError(
                f"weights: {name} has shape {tuple(found[name].shape)}, "
                f"the settings ask for {tuple(tensor.shape)}",
                fix,
            )


def _existing(weights: Path) -> Path:
    if not weights.is_file():
        raise CheckpointError(
            f"checkpoint.weights: {weights.name!r} is not a file",
            "give a .safetensors, .pt or .bin file on this machine; nothing is downloaded",
        )
    return weights


def _weights_in(folder: Path) -> Path:
    for name in WEIGHTS:
        for path in (folder / name, folder / f"{name}{INDEX}"):
            if path.is_file():
                return path
    raise CheckpointError(
        f"checkpoint.folder: {folder.name!r} holds no weights ({WEIGHTS[0]})",
        "save the model's weights there, or name their file as checkpoint.weights; a model "
        "without them would be random",
    )


def _checkpoint(
    config: Mapping[str, Any], stored: dict[str, Loader], folder: Path | None = None
) -> Checkpoint:
    model_cfg, preprocess_cfg = check_config(config, folder)
    # OpenAI's own files, all trained with this activation; their weights do not tell.
    if set(stored) >= OPENAI_KEYS and model_cfg.setdefault("quick_gelu", True) is not True:
        raise CheckpointError(
            f"{CONFIG}: model_cfg.quick_gelu is false, but these are OpenAI's weights",
            "set it to true: they were trained with the quick GELU activation",
        )
    for name in (*OPENAI_KEYS, *_DERIVED):
        stored.pop(name, None)
    if model_cfg.get("custom_text", False) and "text_projection" in stored:
        # open_clip renames the towers of old files; so do we, before the fingerprint is taken.
        text = ("text_projection", "positional_embedding", "token_embedding", "transformer")
        stored = {
            f"text.{name}" if name.startswith((*text, "ln_final")) else name: load
            for name, load in stored.items()
        }
    sha = hashlib.sha256(_spelled(model_cfg, preprocess_cfg).encode())
    tensors = read_all(stored, sha.update)
    return Checkpoint(model_cfg, preprocess_cfg, tensors, sha.hexdigest())


def _spelled(model_cfg: Mapping[str, Any], preprocess_cfg: Mapping[str, Any]) -> str:
    """The settings as they enter a fingerprint; the activation is not in the weights."""
    return canonical_json(
        {"model": {"quick_gelu": False, **model_cfg}, "preprocess": dict(preprocess_cfg)}
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

"""Reading a checkpoint that nobody vouches for: settings and tensors, nothing that runs.

The one law: whatever is odd is refused here, with its reason, before a model is built. open_clip
itself loads a random model from a folder without weights, resizes a wrong positional embedding
and accepts weights that are not numbers, each without a word.
"""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from open_clip.factory import get_model_config, list_models
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tuni.errors import CheckpointError
from tuni.hashing import canonical_json
from tuni.model.settings import check_config, known_keys

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

MAX_CONFIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint whose settings are known and whose tensors are finite.

    Attributes:
        model_cfg: open_clip's model settings, every key known and in bounds.
        preprocess_cfg: open_clip's image preprocessing, every key present.
        tensors: State dict by open_clip's names, in the stored precision.
        fingerprint: SHA-256 over all three, 64 hexadecimal digits.
    """

    model_cfg: Mapping[str, Any]  # open_clip's own nested settings
    preprocess_cfg: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    fingerprint: str


def read_folder(folder: Path) -> Checkpoint:
    """Read a folder as open_clip saves it: settings next to weights.

    Raises:
        CheckpointError: The folder or a file is missing, damaged, unsafe or out of bounds.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"checkpoint.folder: {folder.name!r} is not a folder",
            f"give a folder that holds {CONFIG} and {WEIGHTS[0]}",
        )
    config = _read_config(folder / CONFIG)
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise CheckpointError(
            f"checkpoint.folder: {folder.name!r} holds no weights ({WEIGHTS[0]})",
            "save the model's weights there; a model without them would be random",
        )
    return _checkpoint(config, weights)


def read_weights(architecture: str, weights: Path) -> Checkpoint:
    """Read a weights file (safetensors, or tensors that torch saved) for a named architecture.

    Args:
        architecture: open_clip's name, such as ``"ViT-B-32-quickgelu"``. The activation is not in
            the weights: OpenAI's and some other weights need the ``-quickgelu`` architecture.
        weights: The file.

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
    if not weights.is_file():
        raise CheckpointError(
            f"checkpoint.weights: {weights.name!r} is not a file",
            "give a .safetensors, .pt or .bin file on this machine; nothing is downloaded",
        )
    return _checkpoint({"model_cfg": model_cfg}, weights)


def shapes_match(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not exactly the ones that the settings ask for.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape.
    """
    fix = "use the settings that the weights were trained with"
    if missing := sorted(set(expected) - set(found)):
        raise CheckpointError(f"weights: {_some(missing)} missing", fix)
    if extra := sorted(set(found) - set(expected)):
        raise CheckpointError(f"weights: {_some(extra)} unknown to the settings", fix)
    for name, tensor in expected.items():
        if tensor.shape != found[name].shape:
            raise CheckpointError(
                f"weights: {name} has shape {tuple(found[name].shape)}, "
                f"the settings ask for {tuple(tensor.shape)}",
                fix,
            )


def _checkpoint(config: Mapping[str, Any], weights: Path) -> Checkpoint:
    model_cfg, preprocess_cfg = check_config(config)
    tensors = _read_tensors(weights)
    if model_cfg.get("custom_text", False) and "text_projection" in tensors:
        # open_clip renames the towers of old files; so do we, before the fingerprint is taken.
        text = ("text_projection", "positional_embedding", "token_embedding", "transformer")
        tensors = {
            f"text.{name}" if name.startswith((*text, "ln_final")) else name: tensor
            for name, tensor in tensors.items()
        }
    return Checkpoint(
        model_cfg, preprocess_cfg, tensors, _fingerprint(model_cfg, preprocess_cfg, tensors)
    )


def _read_config(path: Path) -> Mapping[str, Any]:
    """The settings file as a dictionary with ``model_cfg`` and, maybe, ``preprocess_cfg``."""
    fix = "save the checkpoint again with open_clip"
    if not path.is_file():
        raise CheckpointError(f"checkpoint.folder: no {CONFIG} in it", fix)
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise CheckpointError(f"{CONFIG}: larger than {MAX_CONFIG_BYTES} bytes", fix)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{CONFIG}: not JSON in UTF-8", fix) from error
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise CheckpointError(f"{CONFIG}: no model_cfg in it", fix)
    known_keys(config, {"model_cfg", "preprocess_cfg"}, CONFIG)
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by what it is, not by what it is called; all finite."""
    with path.open("rb") as file:
        start = file.read(2)
    if len(start) < 2:
        raise CheckpointError(f"{path.name}: empty", "copy the file again")
    tensors = _load_torch(path) if start in (b"PK", b"\x80\x02") else _load_safetensors(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path.name}: {name} holds values that are not finite",
                "use weights of a training run that did not diverge",
            )
    return tensors


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        # Copies: the loaded tensors are a map of the file, and would change or crash with it.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path.name}: truncated, or not a safetensors file", "copy or save the file again"
        ) from error


def _load_torch(path: Path) -> dict[str, Tensor]:
    """Tensors that torch saved; archives of programs and pickled objects are refused."""
    if _is_program(path):
        raise CheckpointError(
            f"{path.name}: a TorchScript archive, which is a program",
            "convert it to safetensors once, on a machine where it may run",
        )
    try:
        with path.open("rb") as file:  # by a path's ending torch would choose another reader
            found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name}: holds pickled objects or code, not only tensors",
            "save the plain state dict as safetensors; pickles are never run here",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path.name}: truncated, or not a file that torch saved", "copy the file again"
        ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name}: not a state dict", "save the model's state dict")
    # Left-overs of OpenAI's files and of distributed training, which open_clip drops too.
    surplus = ("input_resolution", "context_length", "vocab_size")
    tensors = {
        str(name).removeprefix("module."): value
        for name, value in found.items()
        if name not in surplus
    }
    if not all(isinstance(value, Tensor) for value in tensors.values()):
        raise CheckpointError(f"{path.name}: not only tensors", "save the model's state dict")
    return tensors


def _is_program(path: Path) -> bool:
    """Whether a file is an archive that TorchScript would run."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _fingerprint(
    model_cfg: Mapping[str, Any], preprocess_cfg: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> str:
    """SHA-256 over settings and tensors; the activation is not in the weights, so it is spelled."""
    settings = {"model": {"quick_gelu": False, **model_cfg}, "preprocess": dict(preprocess_cfg)}
    sha = hashlib.sha256(canonical_json(settings).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        sha.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

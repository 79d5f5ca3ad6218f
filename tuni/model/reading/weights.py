"""Files of weights that nobody vouches for: tensors read one by one, and nothing that runs."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tuni.errors import CheckpointError
from tuni.model.reading.archive import Loader, is_archive, read_archive
from tuni.model.reading.json_table import read_json, refuse_pointer
from tuni.model.reading.malformed import MALFORMED

_LONGEST_NAME = 200  # characters of a shard's name
INDEX = ".index.json"  # ends the name of a file that says which shard holds which tensor

# What OpenAI's files hold beside their weights.
OPENAI_KEYS = frozenset({"input_resolution", "context_length", "vocab_size"})


def stored_tensors(path: Path) -> dict[str, Loader]:
    """The tensors of a file, or of the shards of an index, each read when it is asked for.

    A file is known by what it is, not by what it is called. Names are without what training
    frameworks put before all of them, such as ``module.`` or ``_orig_mod.``.

    Raises:
        CheckpointError: A file is damaged, is no file of weights, or holds more than tensors.
    """
    stored = _of_shards(path) if path.name.endswith(INDEX) else _of_file(path)
    while len(prefixes := {name.partition(".")[0] for name in stored}) == 1 and all(
        "." in name for name in stored
    ):
        prefix = f"{prefixes.pop()}."
        stored = {name.removeprefix(prefix): load for name, load in stored.items()}
    return stored


def read_all(
    stored: dict[str, Loader], tell: Callable[[bytes | memoryview], None]
) -> dict[str, Tensor]:
    """Read tensors by name, floats as float32, and take their loaders away.

    Args:
        stored: Loaders by name, in the end none.
        tell: Is told names, types, shapes and bytes of the tensors as they were stored: what a
            fingerprint is made of.

    Raises:
        CheckpointError: A tensor holds values that are not finite.
    """
    tensors: dict[str, Tensor] = {}
    for name in sorted(stored):
        # One by one: both precisions of all tensors would be half as much memory again.
        tensor = stored.pop(name)().detach().contiguous()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"weights: {name} holds values that are not finite",
                "use weights of a training run that did not diverge",
            )
        tell(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        tell(tensor.reshape(-1).view(torch.uint8).numpy().data)
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
    return tensors


def _of_file(path: Path) -> dict[str, Loader]:
    refuse_pointer(path)
    with path.open("rb") as file:
        start = file.read(2)
    if len(start) < 2:
        raise CheckpointError(f"{path.name}: empty", "copy the file again")
    if start not in (b"PK", b"\x80\x02"):
        return _of_safetensors(path)
    return read_archive(path) if is_archive(path) else _of_torch(path)


def _of_shards(path: Path) -> dict[str, Loader]:
    """The tensors of all shards, each exactly where the index says."""
    fix = "copy all shards and their index again, of one checkpoint"
    places = read_json(path, fix).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(p, str) for p in places.values()):
        raise CheckpointError(f"{path.name}: no weight_map in it", fix)
    stored: dict[str, Loader] = {}
    for name in sorted(set(places.values())):
        shard = path.parent / name
        if PurePath(name).name != name or len(name) > _LONGEST_NAME or not shard.is_file():
            raise CheckpointError(f"{path.name}: the shard {name[:60]!r} is missing", fix)
        tensors = _of_file(shard)
        if set(tensors) != {key for key, place in places.items() if place == name}:
            raise CheckpointError(f"{name}: holds other tensors than {path.name} says", fix)
        stored |= tensors
    return stored


def _of_safetensors(path: Path) -> dict[str, Loader]:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name}: truncated, or not a safetensors file", "copy or save the file again"
        ) from error
    return {name: _safetensor(path, name) for name in names}


def _safetensor(path: Path, name: str) -> Loader:
    def load() -> Tensor:
        # Opened for each tensor: a map that stays open keeps in memory all that was read of it. A
        # copy, because the tensor would change or crash with its file.
        with safe_open(path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(name).clone()
        return tensor

    return load


class _Unread:
    """In the place of an object that stands beside the tensors and is not needed."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


# Steps and arguments of a training run; nothing of numpy or argparse sees the file.
_UNREAD = (
    *("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar", "numpy.dtype"),
    "argparse.Namespace",
)


def _of_torch(path: Path) -> dict[str, Loader]:
    """Tensors that torch saved; pickled objects and code are refused."""
    _refuse_packed(path)
    try:
        with (
            path.open("rb") as file,  # by a path's ending torch would choose another reader
            torch.serialization.safe_globals([(_Unread, name) for name in _UNREAD]),
        ):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name}: holds pickled objects or code, not only tensors",
            "save the plain state dict as safetensors; pickles are never run here",
        ) from error
    except MALFORMED as error:
        raise CheckpointError(
            f"{path.name}: truncated, or not a file that torch saved", "copy the file again"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name}: not a state dict", "save the model's state dict")
    return _once(path, content)


def _refuse_packed(path: Path) -> None:
    """Refuse a zip file whose members would be larger than the file: torch packs none."""
    if not zipfile.is_zipfile(path):
        return  # of the older form, or no file of torch's, which torch will say
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except MALFORMED as error:
        raise CheckpointError(f"{path.name}: a damaged zip file", "copy the file again") from error
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise CheckpointError(
            f"{path.name}: compressed, which files that torch saves are not",
            "save the plain state dict again, as safetensors",
        )


def _once(path: Path, content: dict[Any, Any]) -> dict[str, Loader]:  # Any: a pickle's values
    """Loaders that let go of the tensor which they give."""
    weights = {str(name): value for name, value in content.items()}
    content.clear()
    for name in weights:
        bare = name.rpartition(".")[2] in OPENAI_KEYS and type(weights[name]) is int
        if bare:
            weights[name] = torch.tensor(weights[name])
        if not isinstance(weights[name], Tensor):
            raise CheckpointError(f"{path.name}: not only tensors", "save the model's state dict")
        tensor = weights[name]
        if (
            tensor.layout != torch.strided
            or tensor.is_quantized
            or (tensor.nbytes > tensor.untyped_storage().nbytes())
        ):
            raise CheckpointError(
                f"weights: {name[:80]!r} is sparse, quantised, or repeats what it holds",
                "save plain tensors: value.contiguous() for each of the state dict",
            )
    return {name: _taking(weights, name) for name in weights}


def _taking(weights: dict[str, Tensor], name: str) -> Loader:
    return lambda: weights.pop(name)

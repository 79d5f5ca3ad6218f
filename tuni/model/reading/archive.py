"""Tensors of a TorchScript archive, such as OpenAI's, read without running its program.

An archive is a zip file: a stream of instructions that puts modules together, one file of bytes for
each storage, and code. The stream is followed here with empty modules, a tensor being a note of
where its numbers lie, so that nothing it names is ever called. The code is not looked at.
"""

import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuni.errors import CheckpointError
from tuni.model.reading.malformed import MALFORMED

Loader = Callable[[], Tensor]  # reads one tensor when it is called

_MAX_STREAM = 16_000_000  # bytes; those of OpenAI's archives have some 100,000
_DTYPES = {
    "torch DoubleStorage": torch.float64, "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16, "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64, "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16, "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8, "torch BoolStorage": torch.bool,
}  # fmt: skip
_PLAIN = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that TorchScript would run."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False


def read_archive(path: Path) -> dict[str, Loader]:
    """Names of an archive's tensors, as its state dict has them, and how each is read.

    Raises:
        CheckpointError: The file is damaged, or holds what no state dict needs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            root = next(name for name in names if name.endswith("/data.pkl"))[: -len("data.pkl")]
            if archive.getinfo(f"{root}data.pkl").file_size > _MAX_STREAM:
                raise ValueError("a stream of that size")
            top = _followed(archive.read(f"{root}data.pkl"))
        if not isinstance(top, _Module):
            raise ValueError("no module")
        entries = _entries(top)
        return {name: _loader(path, f"{root}data/", entry) for name, entry in entries.items()}
    except MALFORMED as error:
        raise _damaged(path) from error


@dataclass(frozen=True, slots=True)
class _Storage:
    dtype: torch.dtype
    key: str
    length: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a tensor's numbers lie, and in which order."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or function, by module and name."""

    name: str


class _Module:
    """Stands for any class of the archive's program: attributes, nothing that runs."""


def _followed(stream: bytes) -> Any:
    """What a stream of instructions builds, from those alone that TorchScript writes."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[object, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, argument, _position in pickletools.genops(stream):
        match opcode.name:
            case "PROTO":
                pass
            case name if name in _PLAIN:
                stack.append(argument)
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            case "GLOBAL":
                stack.append(_Name(str(argument)))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "MARK":
                marks.append(len(stack))
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
            case "APPEND":
                stack[-2:] = [[*stack[-2], stack[-1]]]
            case "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            case "SETITEMS":
                items = since_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BINPERSID":
                stack.append(_storage(*stack.pop()))
            case "NEWOBJ" | "REDUCE":
                stack[-2:] = [_made(*stack[-2:])]
            case "BUILD":
                module, attributes = stack[-2], stack.pop()
                if isinstance(module, _Module):
                    vars(module).update(attributes)
            case "STOP":
                return stack.pop()
            case _:
                raise ValueError("an instruction that no archive needs")


def _storage(kind: str, dtype: _Name, key: str, _device: str, length: int) -> _Storage:
    if kind != "storage" or type(length) is not int:
        raise ValueError("no storage")
    return _Storage(_DTYPES[dtype.name], str(key), length)


def _made(of: _Name, arguments: tuple[Any, ...]) -> Any:
    """What a class or function gives, of the few that stand for a module, a tensor or a list."""
    if of.name.startswith("__torch__"):
        return _Module()
    if of.name == "torch._utils _rebuild_tensor_v2":
        storage, offset, size, stride, *_rest = arguments
        return _Entry(storage, offset, tuple(size), tuple(stride))
    if of.name.startswith("torch.jit._pickle build_") or of.name == "collections OrderedDict":
        return None  # a list of numbers, or hooks of which there are none
    raise ValueError("a name that no archive needs")


def _entries(top: _Module) -> dict[str, _Entry]:
    """All tensors of a module and of those in it, each module once."""
    entries: dict[str, _Entry] = {}
    waiting, seen = [("", top)], {id(top)}
    while waiting:
        prefix, module = waiting.pop()
        for name, value in vars(module).items():
            if isinstance(value, _Entry):
                entries[f"{prefix}{name}"] = value
            elif isinstance(value, _Module) and id(value) not in seen:
                seen.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
    return entries


def _loader(path: Path, folder: str, entry: _Entry) -> Loader:
    def load() -> Tensor:
        try:
            with zipfile.ZipFile(path) as archive:
                info = archive.getinfo(f"{folder}{entry.storage.key}")
                size = entry.storage.length * entry.storage.dtype.itemsize
                # Stored as they are, the bytes cannot be more than the file has.
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != size:
                    raise ValueError("a storage of another size")
                if math.prod(entry.size) > entry.storage.length:
                    raise ValueError("a view that repeats its numbers")
                numbers = torch.frombuffer(bytearray(archive.read(info)), dtype=entry.storage.dtype)
            return numbers.as_strided(entry.size, entry.stride, entry.offset).contiguous()
        except MALFORMED as error:
            raise _damaged(path) from error

    return load


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path.name}: a TorchScript archive that is truncated, or of which not only tensors "
        "would have to be read",
        "copy the file again, or save the model's state dict as safetensors",
    )

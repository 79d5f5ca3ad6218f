"""The bytes of a bundle: written whole or not at all, bounded before they are read.

The one law: nothing here believes a size, a type or an offset that a file claims.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tuni.errors import BundleError, HomeError
from tuni.files import making, write_whole

MAX_HEADER = 2**20  # bytes of the arrays file's own header; ours
MAX_LENGTH = 2**28  # of one axis of an array
_ITEM_BYTES = {"F64": 8, "I32": 4}
_UNSAFE = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".dill", ".npy", ".npz")
_REFETCH = "fetch or register the bundle again"


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files, whole or not at all.

    Args:
        folder: Must not exist, be empty, or already hold the very same files.
        files: Content by name.

    Raises:
        BundleError: The folder holds something else.
        HomeError: The disk is full or the parent cannot be written; nothing is left behind.
    """
    try:
        _write_files(folder.absolute(), files)
    except OSError as error:
        raise HomeError(
            f"bundle folder: cannot be written ({error.strerror or type(error).__name__})",
            "free disk space or choose a folder that can be written, then run again",
        ) from error


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        if all(_holds(folder / name, content) for name, content in files.items()):
            return
        _refuse("the folder holds something else", "name a folder that does not exist")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with making(folder) as draft:
        for name, content in files.items():
            write_whole(draft / name, content)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder with a file in it that some loader would run as code.

    Raises:
        BundleError: There is one, or the folder cannot be read.
    """
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise BundleError(
            f"bundle: the folder cannot be read ({error.strerror})", "name a bundle's folder"
        ) from error
    if any(name.lower().endswith(_UNSAFE) for name in names):
        _refuse("the folder holds a pickle, which could run code", "fetch it from its registry")


def read_bounded(path: Path, limit: int) -> bytes:
    """All bytes of a plain file of at most ``limit`` bytes.

    Raises:
        BundleError: Missing, no plain file, or larger.
    """
    try:
        # a pipe would block, a device never end: ask what it is before the first byte
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                _refuse(f"{path.name} is not a plain file")
            if os.fstat(handle).st_size > limit:
                _refuse(f"{path.name} is larger than {limit} bytes")
            content = file.read(limit + 1)
    except OSError as error:
        raise BundleError(
            f"bundle: {path.name} cannot be read ({error.strerror})", "name a bundle's folder"
        ) from error
    if len(content) > limit:
        _refuse(f"{path.name} is larger than {limit} bytes")
    return content


def check_header(payload: bytes, name: str) -> None:
    """Bound what the library will allocate: types, shapes and places of all arrays.

    Args:
        payload: A whole safetensors file.
        name: Its name, for messages.

    Raises:
        BundleError: The header is too large, unreadable, or does not describe the bytes.
    """
    size = int.from_bytes(payload[:8], "little")
    if len(payload) < 8 or size > min(MAX_HEADER, len(payload) - 8):
        _refuse(f"{name} has a header beyond its end or larger than {MAX_HEADER} bytes")
    try:
        header = json.loads(payload[8 : 8 + size])
        spans = sorted(_spans(header))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"bundle: {name} has no readable header", _REFETCH) from error
    ends = [0, *(end for _, end in spans)]
    if any(start != end for (start, _), end in zip(spans, ends, strict=False)):
        _refuse(f"{name} has gaps or overlaps")
    if ends[-1] != len(payload) - 8 - size:
        _refuse(f"{name} is cut or too long")


def _spans(header: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for entry in header.values():
        start, end = entry["data_offsets"]
        count = _ITEM_BYTES[entry["dtype"]]
        for length in entry["shape"]:
            if type(length) is not int or not 0 <= length <= MAX_LENGTH:
                raise ValueError(length)
            count *= length
        if type(start) is not int or type(end) is not int or start < 0 or end - start != count:
            raise ValueError(start)
        yield start, end


def _refuse(problem: str, fix: str = _REFETCH) -> NoReturn:
    raise BundleError(f"bundle: {problem}", fix)

"""Files that we write: whole or not at all, and never in the place of what is no plain file.

A file of ours is written beside its place under a name that nobody can foresee, for its owner
only, and renamed. What a user names for an output may be no plain file: ``-`` is standard output,
a pipe or a device is written into, a link is followed, anything else is refused before the work.
"""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tuni.errors import EnvironmentFault, RequestError

STDOUT = Path("-")
_STREAMS = (stat.S_ISFIFO, stat.S_ISCHR)
_NAME_A_FILE = "name a file in a folder that exists and that you may write"


@contextmanager
def replacing(path: Path, mode: int = 0o600, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when all of it is written.

    Where ``path`` is a link, the link is replaced; an interrupt too leaves nothing behind.

    Args:
        path: The file to write, in a folder that exists.
        mode: Its rights.
        durable: Whether a loss of power may not undo the change once this has ended.

    Raises:
        OSError: It cannot be written there.
    """
    handle, name = tempfile.mkstemp(prefix=".tuni-", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_whole(path: Path, content: bytes | str, mode: int = 0o600) -> None:
    """Write a file at once; text as UTF-8. See `replacing`."""
    with replacing(path, mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Let a rename in a folder outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_output(path: Path, option: str = "--out") -> None:
    """Refuse an output that could not be written, before an hour is spent on it.

    Args:
        path: What the user named; see `output`.
        option: By what, for the message.

    Raises:
        RequestError: A folder, a socket, a disk or the like, or where no file can be made.
    """
    if path == STDOUT:
        return
    try:
        place = _place(path)
        kind = _mode(place)
        if kind is None or stat.S_ISREG(kind):
            folder = place.parent
            if not folder.is_dir():
                raise RequestError(f"{option}: no folder {folder}", "make it, or name another file")
            allowed = os.access(folder, os.W_OK | os.X_OK)
        elif any(is_kind(kind) for is_kind in _STREAMS):
            allowed = os.access(place, os.W_OK)
        else:
            what = "a folder" if stat.S_ISDIR(kind) else "no file, pipe or character device"
            raise RequestError(f"{option}: {path} is {what}", "name a file, or - for stdout")
    except OSError as error:
        raise RequestError(f"{option}: {path}: {error.strerror}", _NAME_A_FILE) from error
    if not allowed:
        raise RequestError(f"{option}: {path}: you may not write there", _NAME_A_FILE)


def check_new_folder(path: Path, option: str = "--out") -> Path:
    """Where a folder that the user named is to be made; links are followed.

    Raises:
        RequestError: Something is there already, or no folder can be made.
    """
    try:
        place = _place(path)
        there = _mode(place) is not None
    except OSError as error:
        raise RequestError(f"{option}: {path}: {error.strerror}", "name another folder") from error
    if there:
        raise RequestError(
            f"{option}: {path} is there already", "name a folder that does not exist"
        )
    return place


@contextmanager
def output(path: Path) -> Iterator[BinaryIO]:
    """A file for what the user named: a plain one is replaced at once, when all is written.

    Args:
        path: ``-`` for standard output; a pipe or a character device, which is written into; else
            a file to make or replace, that of a link too.

    Raises:
        RequestError: It is none of these, or may not be written.
        EnvironmentFault: The disk is full or failed, or nobody reads the pipe any more.
        BrokenPipeError: Nobody reads standard output any more.
    """
    if path == STDOUT or _is_stdout(path):
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        place = _place(path)
        kind = _mode(place)
        if kind is None or stat.S_ISREG(kind):
            with replacing(place) as file:
                yield file
        else:
            with _stream(place) as file:
                yield file
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise RequestError(
            f"{path.name}: cannot be written there ({error.strerror})", _NAME_A_FILE
        ) from error
    except OSError as error:
        raise EnvironmentFault(
            f"{path.name}: could not be written ({error.strerror})",
            "let its reader read to the end, and run the command again"
            if isinstance(error, BrokenPipeError)
            else "make room on the disk and run the command again",
        ) from error


def write_output(path: Path, content: bytes | str) -> None:
    """Write what the user named at once; text as UTF-8. See `output`."""
    with output(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _place(path: Path) -> Path:
    """The path behind all links, the last one's too even where it leads to nothing yet."""
    try:
        return path.resolve()
    except RuntimeError as error:  # a loop, before Python 3.13
        raise OSError(0, "too many links") from error


def _mode(place: Path) -> int | None:
    """Kind and rights of what is there, or None."""
    try:
        return place.stat().st_mode
    except FileNotFoundError:
        return None


def _is_stdout(path: Path) -> bool:
    """Whether a path such as /dev/stdout leads to the very file that standard output is."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # ValueError: it has no descriptor
        return False


@contextmanager
def _stream(place: Path) -> Iterator[BinaryIO]:
    """A pipe or a character device, opened as it is; waits for a pipe's reader."""
    handle = os.open(place, os.O_WRONLY | os.O_NOCTTY)
    with os.fdopen(handle, "wb") as file:
        kind = os.fstat(handle).st_mode
        if not any(is_kind(kind) for is_kind in _STREAMS):
            raise PermissionError(0, "no file, pipe or character device")
        yield file

"""Files that we write: whole or not at all, and never in the place of what is no plain file.

A file of ours is written beside its place under a name that nobody can foresee, for its owner
only, and renamed. What a user names for an output may be no plain file: ``-`` is standard output,
a pipe or a device is written into, a link is followed, anything else is refused before the work.
"""

import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tuni.errors import EnvironmentFault, RequestError

STDOUT = Path("-")
_DRAFT = ".tuni-draft-"
_DRAFT_NAME = re.compile(r"\.tuni-draft-[a-z0-9_]{8}")  # as `tempfile` ends them
_FRESH_S = 60.0  # a draft that was made just now is not held yet
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
    _sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=_DRAFT, dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _hold(handle)
            yield file
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder to work in, for its owner only; removed at the end.

    Raises:
        OSError: It cannot be made there.
    """
    _sweep(parent)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=parent))
    handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _hold(handle)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(handle)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder that becomes ``folder`` when all is in it; it must not exist, or be empty.

    Raises:
        OSError: It cannot be made there.
    """
    with scratch_folder(folder.parent) as draft:
        yield draft
        draft.replace(folder)


def _hold(handle: int) -> None:
    """Say that a draft is being worked on, for as long as this process lives."""
    with suppress(OSError):  # a file system without locks: its drafts are never swept
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(folder: Path) -> None:
    """Remove drafts that a killed process left in a folder: ours, old, and held by nobody."""
    drafts: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as entries:  # what is wrong, the writer will tell
        drafts = [entry for entry in entries if _DRAFT_NAME.fullmatch(entry.name)]
    for entry in drafts:
        with suppress(OSError):  # another process may sweep as well
            about = entry.stat(follow_symlinks=False)
            if about.st_uid != os.geteuid() or time.time() - about.st_ctime < _FRESH_S:
                continue
            handle = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry)
                else:
                    os.unlink(entry)  # noqa: PTH108  # an entry, not a path
            finally:
                os.close(handle)


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


def check_outputs(**outputs: Path | None) -> None:
    """Refuse outputs that could not be written, before an hour is spent on them.

    Args:
        outputs: What the user named, by option; see `output`. None is left out.

    Raises:
        RequestError: A folder, a socket, a disk or the like; where no file can be made; or one
            place for two of them.
    """
    options: dict[Path, str] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        option = f"--{name}"
        try:
            place = STDOUT if is_stdout(path) else _place(path)
            _check_output(place, path, option)
        except OSError as error:
            raise RequestError(f"{option}: {path}: {error.strerror}", _NAME_A_FILE) from error
        if options.setdefault(place, option) != option:
            raise RequestError(f"{option}: is also {options[place]}", "name another file")


def _check_output(place: Path, path: Path, option: str) -> None:
    kind = None if place == STDOUT else _mode(place)
    if place == STDOUT:
        allowed = True
    elif kind is None or stat.S_ISREG(kind):
        if not place.parent.is_dir():
            raise RequestError(
                f"{option}: no folder {place.parent}", "make it, or name another file"
            )
        allowed = os.access(place.parent, os.W_OK | os.X_OK)
    elif any(is_kind(kind) for is_kind in _STREAMS):
        allowed = os.access(place, os.W_OK)
    else:
        what = "a folder" if stat.S_ISDIR(kind) else "no file, pipe or character device"
        raise RequestError(f"{option}: {path} is {what}", "name a file, or - for standard output")
    if not allowed:
        raise RequestError(f"{option}: {path}: you may not write there", _NAME_A_FILE)


def check_folder(path: Path, option: str = "--out") -> Path:
    """Where a folder is that the user named, made or not; links are followed.

    Raises:
        RequestError: Something else is there.
    """
    try:
        place = _place(path)
        kind = _mode(place)
    except OSError as error:
        raise RequestError(f"{option}: {path}: {error.strerror}", "name another folder") from error
    if kind is not None and not stat.S_ISDIR(kind):
        raise RequestError(f"{option}: {path} is no folder", "name a folder")
    return place


def check_new_folder(path: Path, option: str = "--out") -> Path:
    """Where a folder that the user named is to be made; links are followed.

    Raises:
        RequestError: Something is there already, or no folder can be made.
    """
    place = check_folder(path, option)
    if place.exists():
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
    if is_stdout(path):
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with output_errors(path):
        place = _place(path)
        kind = _mode(place)
        plain = kind is None or stat.S_ISREG(kind)
        with replacing(place) if plain else _stream(place) as file:
            yield file


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Say what is wrong with an output as `output` does."""
    try:
        yield
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


def is_stdout(path: Path | None) -> bool:
    """Whether an output is ``-``, or what leads to standard output, such as /dev/stdout."""
    if path is None or path == STDOUT:
        return path is not None
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # ValueError: it has no descriptor
        return False


def _place(path: Path) -> Path:
    """The path behind all links, the last one's too even where it leads to nothing yet.

    A pipe or a device keeps the name that it was given: one of /dev/fd has no other path.
    """
    kind = _mode(path)
    if kind is not None and any(is_kind(kind) for is_kind in _STREAMS):
        return path
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


@contextmanager
def _stream(place: Path) -> Iterator[BinaryIO]:
    """A pipe or a character device, opened as it is; waits for a pipe's reader."""
    handle = os.open(place, os.O_WRONLY | os.O_NOCTTY)
    with os.fdopen(handle, "wb") as file:
        kind = os.fstat(handle).st_mode
        if not any(is_kind(kind) for is_kind in _STREAMS):
            raise PermissionError(0, "no file, pipe or character device")
        yield file

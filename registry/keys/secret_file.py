"""Secrets in files: keys, logins and tokens, each made once and for its owner's eyes alone.

A secret is written whole or not at all, with mode 0600. It is believed only where no other
account can have put it there or read it: such a file is refused, with what to do.
"""

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from registry.home import Home, require_own
from tuni.errors import HomeError
from tuni.files import replacing, sync_folder

MAX_BYTES = 16 * 2**10  # ours; the longest of them, a key in PEM, takes some 250


def read_or_make(
    home: Home, path: Path, make: Callable[[], bytes], *, what: str, fix: str | None = None
) -> bytes:
    """The secret, made at first use, however many processes ask at once.

    Args:
        home: Its lock keeps first uses apart.
        path: The secret's file, in a folder that exists.
        make: Gives a new secret; may refuse by raising.
        what: What it is, for messages.
        fix: See `read`.

    Raises:
        HomeError: It cannot be read or made, or others may know it.
    """
    if not exists(path, what):
        with alone(home, path):
            if not exists(path, what):
                write(path, make(), what=what)
    return read(path, what=what, fix=fix)


def read(path: Path, *, what: str, fix: str | None = None) -> bytes:
    """A secret that nobody else knows.

    Args:
        path: Its file, or a link to it.
        what: What it is, for messages.
        fix: What to do where others may know it; None says how to take it back.

    Raises:
        HomeError: No plain file, empty, too large, owned by another account than ours or root's,
            readable by others, or unreadable.
    """
    try:
        # A pipe would block: ask what it is before the first byte.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            require_own(about, f"{what} {path}", fix or f"chown {os.geteuid()} {path}")
            if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise HomeError(
                    f"{what} {path}: others may read it (mode {stat.S_IMODE(about.st_mode):04o})",
                    fix or f"chmod 600 {path}",
                )
            content = file.read(MAX_BYTES + 1) if stat.S_ISREG(about.st_mode) else b""
    except OSError as error:
        raise _unusable(path, what, error) from error
    if not 0 < len(content) <= MAX_BYTES:
        raise HomeError(
            f"{what} {path}: empty, no plain file, or larger than {MAX_BYTES} bytes",
            fix or "put the original file back from a backup; nothing was overwritten",
        )
    return content


def write(path: Path, content: bytes, *, what: str) -> None:
    """Write a secret, mode 0600, so that no loss of power can undo it.

    Raises:
        HomeError: It cannot be written.
    """
    try:
        with replacing(path, 0o600, durable=True) as file:
            file.write(content)
    except OSError as error:
        raise _unusable(path, what, error) from error


def move(draft: Path, path: Path, *, what: str) -> None:
    """Put one secret into the place of another, so that no loss of power can undo it.

    Raises:
        HomeError: It cannot be moved.
    """
    try:
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, what, error) from error


def exists(path: Path, what: str) -> bool:
    """Whether there is such a file.

    Raises:
        HomeError: Its folder cannot be entered.
    """
    try:
        return path.exists()
    except OSError as error:
        raise _unusable(path, what, error) from error


def alone(home: Home, path: Path) -> AbstractContextManager[None]:
    """The lock under which a secret is made or replaced."""
    return home.lock(f"secret-{path.name}")


def _unusable(path: Path, what: str, error: OSError) -> HomeError:
    return HomeError(
        f"{what} {path}: cannot be read or made ({error.strerror})",
        f"make sure that you own {path.parent} and that the disk has room",
    )

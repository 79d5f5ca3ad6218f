"""The home: the one folder that everything this project keeps lies in, and what may lie elsewhere.

Who can write to the home is trusted, so nobody but its owner may enter it.
"""

import grp
import os
import pwd
import stat
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from tuni.errors import HomeError


def require_own(about: os.stat_result, what: str, fix: str) -> None:
    """Refuse what another account owns, and could change at any time.

    Args:
        about: Of the file or folder.
        what: Its kind and name, for the message.
        fix: What to do.

    Raises:
        HomeError: Its owner is neither this account nor root.
    """
    if about.st_uid not in (os.geteuid(), 0):
        raise HomeError(f"{what}: belongs to another account (number {about.st_uid})", fix)


def require_unshared(
    path: Path, what: str, *, fix: str | None = None, own_group: bool = False
) -> None:
    """Refuse a file or folder that other accounts may change.

    Args:
        path: It must exist; a link stands for what it leads to.
        what: Its kind, for the message.
        fix: What to do; None says how to take it back.
        own_group: Whether this account's own group may write to it: where each account has one,
            that is often so for all its files.

    Raises:
        HomeError: Another account than ours or root owns it, or may write to it.
    """
    about = path.stat()
    place = quote(str(path))
    taken = f"chown {os.geteuid()} {place}, if you trust what it says"
    require_own(about, f"{what} {path}", fix or taken)
    writers = stat.S_IWOTH if own_group and _is_own(about.st_gid) else stat.S_IWGRP | stat.S_IWOTH
    if about.st_mode & writers:
        raise HomeError(
            f"{what} {path}: others may write to it (mode {stat.S_IMODE(about.st_mode):04o})",
            fix or f"look whether it is still what you put there, then chmod go-w {place}",
        )


def _is_own(group: int) -> bool:
    """Whether nobody else is in a group: it has this account's name and no other members."""
    with suppress(KeyError):
        account, about = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
        return about.gr_name == account and set(about.gr_mem) <= {account}
    return False


def sqlite_url(file: Path, driver: str | None = None) -> str:
    """The URL of a SQLite file, whatever signs its path holds."""
    # As SQLAlchemy's `URL.create` writes it, which is not imported for that.
    path = urllib.parse.quote(str(file), safe=" +/")
    # MLflow makes the folder that `sqlite:///` names before it undoes the escapes.
    return f"{driver or ('sqlite' if path == str(file) else 'sqlite+pysqlite')}:///{path}"


class _Place:
    """A file or folder directly below the home."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, home: "Home", owner: type) -> Path:
        return home.root / self._name


@dataclass(frozen=True, slots=True)
class Home:
    """Where things lie below the home. Get one from `Home.open`.

    Attributes:
        root: The folder, absolute.
        database: Database URL of a ledger that lies elsewhere, or None.
        key_path: The key's file where it lies elsewhere, or None.
        key_text: The key itself, 64 hexadecimal digits, where it is no file, or None.
    """

    root: Path
    database: str | None = field(default=None, repr=False)  # may hold a password
    key_path: Path | None = None
    key_text: str | None = field(default=None, repr=False)

    ledger_file = _Place("ledger.db")  # the default ledger's file
    # There since this home opened a ledger whose rows are sealed: it seals none again.
    sealed_note = _Place("ledger.sealed")
    artifacts = _Place("artifacts")  # artifacts of the embedded MLflow store
    prefect = _Place("prefect")  # Prefect's own home
    services = _Place("services")  # notes on the servers of `tuni up`, and their logins
    bundles = _Place("bundles")  # bundles pulled from the registry, NAME/VERSION
    jobs = _Place("jobs")  # working folders of jobs
    logs = _Place("logs")  # log files
    testbeds = _Place("testbeds")  # cached testbed checkpoints
    signing_key = _Place("signing.key")  # private key that signs bundles, mode 0600
    public_key = _Place("signing.pub")  # its public key, to be handed to others
    serve_token = _Place("serve.token")  # token of those who may ask the served model, mode 0600
    trusted = _Place("trusted")  # public keys of others whose bundles are used here

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        database: str | None = None,
        key_path: Path | None = None,
        key_text: str | None = None,
    ) -> "Home":
        """Make the folder (mode 0700) where it is missing, and check that it can be used.

        Args:
            root: The folder.
            database: See `Home`.
            key_path: See `Home`.
            key_text: See `Home`.

        Raises:
            HomeError: It cannot be made or written, is another account's, or others may enter it.
        """
        root = root.expanduser().absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = root.stat()
        except OSError as error:
            raise HomeError(
                f"home {root}: cannot be made ({error.strerror})",
                "set TUNI_HOME to a folder that you may write to",
            ) from error
        if about.st_uid != os.geteuid():
            raise HomeError(
                f"home {root}: belongs to another account (number {about.st_uid})",
                "set TUNI_HOME to a folder of your own, or run this as that account",
            )
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise HomeError(
                f"home {root}: not writable",
                f"chmod 700 {quote(str(root))}, or set TUNI_HOME to a folder that you may write to",
            )
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise HomeError(
                f"home {root}: others may enter it (mode {stat.S_IMODE(about.st_mode):04o}), and "
                "what they put there would be trusted",
                f"chmod 700 {quote(str(root))}",
            )
        return cls(root, database, key_path, key_text)

    @property
    def ledger_url(self) -> str:
        """Database URL of the ledger."""
        return self.database or sqlite_url(self.ledger_file)

    @property
    def mlflow_uri(self) -> str:
        """Tracking URI of the embedded MLflow store."""
        return sqlite_url(self.root / "mlflow.db")

    @property
    def optuna_url(self) -> str:
        """Database URL of the search's studies."""
        return sqlite_url(self.root / "optuna.db")

    @property
    def key_file(self) -> Path:
        """The key's file, mode 0600."""
        return self.key_path or self.root / "key"

    def folder(self, name: str) -> Path:
        """A folder of the home, made where it is missing.

        Raises:
            HomeError: It cannot be made.
        """
        made = self.root / name
        try:
            made.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"home: {made} cannot be made ({error.strerror})",
                "make sure that you own the home and that the disk has room",
            ) from error
        return made

    @contextmanager
    def lock(self, name: str, timeout_s: float = 60.0) -> Iterator[None]:
        """Hold a named lock that other processes with this home respect; a crash frees it.

        Raises:
            HomeError: Another process held it for longer than ``timeout_s``.
        """
        from filelock import FileLock, Timeout

        folder = self.folder("locks")
        try:
            held = FileLock(folder / f"{name}.lock", timeout=timeout_s)
            held.acquire()
        except Timeout as error:
            raise HomeError(
                f"lock {name}: another tuni process held it for {timeout_s:.0f} s",
                "wait until that process is done, then repeat the command",
            ) from error
        except OSError as error:
            raise HomeError(
                f"lock {name}: cannot be taken in {folder} ({error.strerror})",
                "make sure that you own the home and that the disk has room",
            ) from error
        try:
            yield
        finally:
            held.release()

"""The home: the one folder that everything this project keeps lies in, and its key.

The one law: the key is written once and never replaced. Whatever was encrypted or made a
pseudonym with it is lost without it, so a missing key beside an existing ledger is an error.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuni.errors import HomeError

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Home:
    """Where things lie below the home. Get one from `Home.open`.

    Attributes:
        root: The folder, absolute.
    """

    root: Path

    @classmethod
    def open(cls, root: Path) -> "Home":
        """Make the folder (mode 0700) where it is missing, and check that it can be used.

        Raises:
            HomeError: It cannot be made or written, or others may write to it.
        """
        root = root.expanduser().absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = root.stat().st_mode
        except OSError as error:
            raise HomeError(
                f"home {root}: cannot be made ({error.strerror})",
                "set TUNI_HOME to a folder that you may write to",
            ) from error
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise HomeError(
                f"home {root}: not writable",
                f"chmod 700 {root}, or set TUNI_HOME to a folder that you may write to",
            )
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HomeError(
                f"home {root}: others may write to it (mode {stat.S_IMODE(mode):04o}), and what "
                "they put there would be trusted",
                f"chmod 700 {root}",
            )
        return cls(root)

    @property
    def ledger_file(self) -> Path:
        """The default ledger's file."""
        return self.root / "ledger.db"

    @property
    def ledger_url(self) -> str:
        """Database URL of the default ledger."""
        return f"sqlite:///{self.ledger_file}"

    @property
    def mlflow_uri(self) -> str:
        """Tracking URI of the embedded MLflow store."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def optuna_url(self) -> str:
        """Database URL of the search's studies."""
        return f"sqlite:///{self.root / 'optuna.db'}"

    @property
    def artifacts(self) -> Path:
        """Artifacts of the embedded MLflow store."""
        return self.root / "artifacts"

    @property
    def prefect(self) -> Path:
        """Prefect's own home."""
        return self.root / "prefect"

    @property
    def bundles(self) -> Path:
        """Bundles pulled from the registry, NAME/VERSION."""
        return self.root / "bundles"

    @property
    def jobs(self) -> Path:
        """Working folders of jobs."""
        return self.root / "jobs"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.root / "logs"

    @property
    def testbeds(self) -> Path:
        """Cached testbed checkpoints."""
        return self.root / "testbeds"

    @property
    def key_file(self) -> Path:
        """The key's file, mode 0600."""
        return self.root / "key"

    @property
    def key(self) -> bytes:
        """The home's key, 32 bytes; made at first use.

        Raises:
            HomeError: Readable by others, of another length, unreadable, or missing beside a
                ledger that was written with it.
        """
        path = self.key_file
        try:
            if not path.exists():
                self._make_key()
            mode = path.stat().st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise HomeError(
                    f"key {path}: others may read it (mode {stat.S_IMODE(mode):04o})",
                    f"chmod 600 {path}",
                )
            key = path.read_bytes()
        except OSError as error:
            raise HomeError(
                f"key {path}: cannot be read or made ({error.strerror})",
                f"make sure that you own {self.root} and that the disk has room",
            ) from error
        if len(key) != KEY_BYTES:
            raise HomeError(
                f"key {path}: {len(key)} bytes, expected {KEY_BYTES}",
                "put the original key file back from a backup; nothing was overwritten",
            )
        return key

    @contextmanager
    def lock(self, name: str, timeout_s: float = 60.0) -> Iterator[None]:
        """Hold a named lock that other processes with this home respect; a crash frees it.

        Raises:
            HomeError: Another process held it for longer than ``timeout_s``.
        """
        from filelock import FileLock, Timeout

        folder = self.root / "locks"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
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

    def _make_key(self) -> None:
        """Write a fresh key whole or not at all, however many processes try at once."""
        with self.lock("key"):
            if self.key_file.exists():
                return
            if self.ledger_file.exists():
                raise HomeError(
                    f"key {self.key_file}: missing, but {self.ledger_file} was written with one",
                    "put the key file back from a backup; without it the ledger cannot be read "
                    "(to begin anew, set TUNI_HOME to another folder)",
                )
            draft = self.root / f".key.{os.getpid()}"
            draft.unlink(missing_ok=True)  # left by a process of the same number that was killed
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, os.urandom(KEY_BYTES))
                os.fsync(handle)
            finally:
                os.close(handle)
            draft.replace(self.key_file)

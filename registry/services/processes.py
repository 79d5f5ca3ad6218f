"""Servers and workers that outlive the command that started them, each noted in the home.

The one law: a process is ours only if it still is the one that was noted. A number is used again
after a restart of the machine or in the course of time, so the moment of its start counts too.
"""

import errno
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from registry.home import Home
from tuni.errors import EnvironmentFault, HomeError
from tuni.files import write_whole

HOST = "127.0.0.1"
FORMAT = 1
# How services are started. 1: servers asked for no login; 2: their ports could be taken from them.
GENERATION = 3
ENDING_S = 15.0
_STATE, _SESSION, _START = 0, 3, 19  # fields of /proc/PID/stat behind the command's name
_ENDED = ("Z", "X", None)  # states of a process that nobody has collected yet; None: is gone
_kept: dict[int, int] = {}  # descriptors by port


@dataclass(frozen=True, slots=True)
class Service:
    """A process that was started for a home, with a session of its own.

    Attributes:
        name: ``"mlflow"``, ``"prefect"`` or ``"worker"``.
        pid: Its number, and that of its session.
        began: Boot of the machine and moment of the start; tells it from a later one of its number.
        store: Digest of the database that it serves.
        port: Where it listens on loopback; None where it does not.
        generation: How it was started; one of an older `GENERATION` is not used any more.
    """

    name: str
    pid: int
    began: str
    store: str
    port: int | None = None
    generation: int = 1

    def serves(self, database_url: str) -> bool:
        """Whether it is how today's servers are, and serves this database."""
        return self.store == digest(database_url) and self.generation == GENERATION

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the very process that was started runs."""
        return _began(self.pid) == self.began

    def keeps_port(self) -> bool:
        """Whether nobody else has its port, nor will have it while this process lives."""
        return self.port is not None and keep_port(self.port)

    def processes(self) -> tuple[int, ...]:
        """It and what it started; the latter may outlive it, and still hold its port."""
        if self.began.partition(" ")[0] != _boot() or _began(self.pid) not in (None, self.began):
            return ()
        return tuple(
            pid
            for pid in _pids()
            if _stat(pid, _SESSION) == str(self.pid) and _stat(pid, _STATE) not in _ENDED
        )

    def end(self, *, by_force: bool = False) -> None:
        """End the whole session; by force at once, or where a request did not do it."""
        for word in (signal.SIGKILL,) if by_force else (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, word)
            deadline = time.monotonic() + ENDING_S
            while self.processes() and time.monotonic() < deadline:
                time.sleep(0.1)


def digest(database_url: str) -> str:
    """What tells one database from another without showing a password."""
    return hashlib.sha256(database_url.encode()).hexdigest()


def running(home: Home, name: str) -> Service | None:
    """The service of that name, if the very process that was noted runs."""
    noted = read_note(home, name)
    return noted if noted is not None and noted.alive else None


def served(home: Home, name: str, database_url: str) -> str | None:
    """Address of the running server of a database, or None where none of ours runs.

    Its port is kept from other accounts, so that it can be told a login from now on.
    """
    found = running(home, name)
    if found is None or not found.serves(database_url) or not found.keeps_port():
        return None
    return found.address


def read_note(home: Home, name: str) -> Service | None:
    """What was noted when the service was started last, or None."""
    try:
        content = json.loads((home.services / f"{name}.json").read_text(encoding="utf-8"))
        return Service(**content) if content.pop("format") == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # what cannot be read names no process


def start(
    home: Home,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    store: str,
    listening: socket.socket | None = None,
) -> Service:
    """Start a service in a session of its own, its output in a log file of the home.

    The log of the time before is kept as ``NAME.log.1``.

    Args:
        home: Keeps the log and the note.
        name: Name of the service.
        command: The program and its arguments.
        environment: All its variables.
        store: Digest of the database that it serves.
        listening: The socket that a server finds as its standard input.

    Raises:
        HomeError: The log or the note cannot be written.
    """
    log = log_file(home, name)
    try:
        for folder in (home.logs, home.services):
            folder.mkdir(mode=0o700, exist_ok=True)
        if log.is_file() and not log.is_symlink():  # a link or a pipe is the owner's choice
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("ab") as out:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL if listening is None else listening.fileno(),
                stdout=out,
                stderr=out,
                cwd=home.root,
                pass_fds=list(_kept.values()),
                start_new_session=True,
            )
        port = None if listening is None else listening.getsockname()[1]
        service = Service(name, process.pid, _began(process.pid) or "", store, port, GENERATION)
        _note(home, service)
    except OSError as error:
        raise HomeError(
            f"{name}: cannot be started in {home.root} ({error.strerror})",
            "make sure that you own the home and that the disk has room",
        ) from error
    process.returncode = 0  # it is meant to go on: no warning when this object is collected
    return service


def listen(port: int) -> socket.socket:
    """A socket that listens on a port of loopback, for the server that is started next.

    A server that took its port itself could find that another account was faster.

    Args:
        port: Its number; 0 takes any that is free.

    Raises:
        OSError: Another program has the port.
    """
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Inherited by what it accepts. Uvicorn has asyncio take it for a socket without this.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((HOST, port))
        with socket.socket() as probe:  # a program of this account may share its port
            if probe.connect_ex(listening.getsockname()) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def keep_port(port: int) -> bool:
    """Keep a port of loopback from other accounts while this process, or what it starts, lives.

    A server that listens there may end at any time; whoever had its port then would be told logins.

    Returns:
        Whether it is kept; False where another program has it.
    """
    if port not in _kept:
        with socket.socket() as kept:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # for this account alone
            try:
                kept.bind((HOST, port))
            except OSError:
                return False
            _kept[port] = kept.detach()
    return True


def log_file(home: Home, name: str) -> Path:
    """Where a service writes what it has to say."""
    return home.logs / f"{name}.log"


def did_not_start(home: Home, name: str, why: str) -> EnvironmentFault:
    """The error of a service that did not come up."""
    return EnvironmentFault(
        f"{name}: {why}", f"read the last lines of {log_file(home, name)}, then repeat `tuni up`"
    )


def forget(home: Home, name: str) -> None:
    """Remove the note of a service that ended."""
    (home.services / f"{name}.json").unlink(missing_ok=True)


def processes_with(marks: Sequence[str]) -> dict[int, Mapping[str, str]]:
    """Our processes whose environment holds all these ``NAME=value``, with that environment."""
    found: dict[int, Mapping[str, str]] = {}
    for pid in _pids():
        with suppress(OSError):
            content = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            entries = content.split("\0")
            if set(marks) <= set(entries):
                found[pid] = dict(entry.partition("=")[::2] for entry in entries if entry)
    return found


def _note(home: Home, service: Service) -> None:
    note = json.dumps({"format": FORMAT, **asdict(service)}) + "\n"
    write_whole(home.services / f"{service.name}.json", note)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _began(pid: int) -> str | None:
    start, state = _stat(pid, _START), _stat(pid, _STATE)
    return f"{_boot()} {start}" if start is not None and state not in _ENDED else None


def _stat(pid: int, field: int) -> str | None:
    try:
        content = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return content.rpartition(")")[2].split()[field]  # the name before it may hold anything


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()

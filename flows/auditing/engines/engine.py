"""Where the shards of an audit run: this process, or the workers of a Ray cluster.

The one law: a shard may run more than once and by anybody, since its worker writes each verdict
once; so an engine only has to see to it that every shard ran.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Protocol

from flows.auditing.shards import ATTEMPTS, ShardWorker
from flows.machine.settings import Settings
from tuni.errors import RequestError

Done = Callable[[int], None]

RAY = "ray"
_JOIN = "ray://"


class Engine(Protocol):
    """Runs shards.

    Laws: `run` returns when every shard was run or given up; it calls ``done`` once a shard, with
    the number of verdicts written, in the thread that called it; a fault of the machine or the
    ledger ends it as `EnvironmentFault`, a shard that fails otherwise is tried three times.
    """

    def run(self, shards: Sequence[int], done: Done) -> tuple[int, ...]:
        """Run shards.

        Args:
            shards: Their numbers.
            done: Told how many verdicts a shard came to.

        Returns:
            The shards that failed each time.
        """
        ...


class LocalEngine:
    """Runs shards one after the other in this process."""

    def __init__(self, worker: ShardWorker) -> None:
        """Take the worker that is loaded already."""
        self._worker = worker

    def run(self, shards: Sequence[int], done: Done) -> tuple[int, ...]:
        """See `Engine.run`."""
        left = tuple(shards)
        for _ in range(ATTEMPTS):
            failed = []
            for shard in left:
                written = self._worker.attempt(shard)
                if written is None:
                    failed.append(shard)
                else:
                    done(written)
            left = tuple(failed)
            if not left:
                break
        return left


def check_engine(name: str, settings: Settings) -> str:
    """The engine's name, if there is such an engine and it can work with this ledger.

    Raises:
        RequestError: There is none, it is not installed, or other machines could not reach the
            ledger.
    """
    if name == "local":
        return name
    joined = name.removeprefix(_JOIN) if name.startswith(_JOIN) else None
    host, _, port = (joined or "").rpartition(":")
    if name != RAY and not (host and port.isdecimal()):
        raise RequestError(f"--engine: no engine {name!r}", "give local, ray or ray://HOST:PORT")
    if find_spec("ray") is None:
        raise RequestError(
            "--engine: Ray is not installed", "install the extra ray: pip install 'tuni-audit[ray]'"
        )
    if joined and (settings.ledger_url or "sqlite").startswith("sqlite"):
        raise RequestError(
            "--engine: the ledger is a SQLite file, which workers on other machines cannot share",
            "set TUNI_LEDGER_URL to a Postgres ledger on every machine, or use --engine ray",
        )
    return name


def engine_of(name: str, worker: ShardWorker, settings: Settings) -> Engine:
    """The engine of a name that `check_engine` accepted."""
    if name == "local":
        worker.detector.target  # noqa: B018 (loads it: what is wrong with it is no shard's fault)
        return LocalEngine(worker)
    from flows.auditing.engines.ray import RayEngine

    address = name.removeprefix(_JOIN) if name.startswith(_JOIN) else None
    return RayEngine(worker.audit.id, settings, address)

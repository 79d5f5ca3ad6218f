"""Where the shards of an audit run: this process, or the actors of a Ray cluster.

The one law: a shard may run more than once and by anybody, since its worker writes each verdict
once; so an engine only has to see to it that every shard ran.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from flows.guard import report_fault
from flows.settings import Settings
from flows.shards import ShardWorker
from tuni.errors import EnvironmentFault, RequestError, ValueAltered

# How often a shard is tried before the audit ends without it.
ATTEMPTS = 3

Done = Callable[[int], None]


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
                try:
                    written = self._worker.run(shard)
                except EnvironmentFault as error:
                    if not isinstance(error, ValueAltered):
                        raise
                    report_fault(error, f"shard {shard}")
                    failed.append(shard)
                except Exception as error:  # a worker's loop: one bad shard must not end the audit
                    report_fault(error, f"shard {shard}")
                    failed.append(shard)
                else:
                    done(written)
            left = tuple(failed)
            if not left:
                break
        return left


def check_engine(name: str) -> str:
    """The engine's name, if there is such an engine.

    Raises:
        RequestError: There is none, or it is not installed.
    """
    if name == "local":
        return name
    raise RequestError(f"--engine: no engine {name!r}", "give local, ray or ray://HOST:PORT")


def engine_of(name: str, worker: ShardWorker, settings: Settings) -> Engine:
    """The engine of a name that `check_engine` accepted."""
    return LocalEngine(worker)

"""Runs the shards of an audit on a Ray cluster: one started for it, or one that is joined.

The one law: whatever dies, its shard goes to a worker that lives. A worker that was lost is
replaced by a new one rather than restarted by Ray: a call to an actor that Ray cannot place again
(its node is gone, the others have no GPU left) would never return.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from flows.auditing.engines.ray_worker import Answer, RayWorker
from flows.auditing.shards import ATTEMPTS
from flows.machine.environment import prepare_ray
from flows.machine.home import open_home
from flows.machine.settings import Settings
from tuni.errors import EnvironmentFault, RequestError
from tuni.files import scratch_folder

# A shard that took so many workers with it is given up: it may be what kills them (memory).
LOSSES = 10
# So many workers in a row that died before they could work: then it is not chance.
FAILED_STARTS = 20
# Nothing large goes through Ray; this is about the least store that it starts with.
_STORE_BYTES = 80 * 2**20
# A socket's path has at most 107 characters, of which Ray's own folders take 63.
_LONGEST_FOLDER = 42


class RayEngine:
    """Runs shards by the workers of a Ray cluster."""

    def __init__(self, audit: str, settings: Settings, address: str | None) -> None:
        """Nothing is started yet.

        Args:
            audit: Id of an audit that was prepared.
            settings: Of this machine; workers read their own machine's.
            address: HOST:PORT of a cluster that this machine is a node of; None starts one here.
        """
        self._audit = audit
        self._settings = settings
        self._address = address

    def run(self, shards: Sequence[int], done: Callable[[int], None]) -> tuple[int, ...]:
        """See `flows.auditing.engines.engine.Engine.run`."""
        if not shards:
            return ()
        with _cluster(open_home(self._settings).root, self._settings, self._address) as count:
            return _Crew(self._audit, self._settings.gpu_share).run(shards, done, count)


class _Crew:
    """The workers of one audit, and what each is doing."""

    def __init__(self, audit: str, gpu_share: float) -> None:
        import ray

        self._audit = audit
        self._actor = ray.remote(
            num_cpus=1, num_gpus=gpu_share, max_restarts=0, max_task_retries=0
        )(RayWorker)
        # A call in progress to its worker and its shard; the call that opens a worker has none.
        self._calls: dict[Any, tuple[Any, int | None]] = {}  # Any: Ray's references and handles
        self._idle: list[Any] = []
        self._failed_starts = 0

    def run(
        self, shards: Sequence[int], done: Callable[[int], None], count: int
    ) -> tuple[int, ...]:
        """Run shards by so many workers; those that were given up."""
        left = deque(shards)
        given_up: list[int] = []
        tries: Counter[int] = Counter()
        losses: Counter[int] = Counter()
        for _ in range(min(count, len(left))):
            self._open()
        while left or any(shard is not None for _, shard in self._calls.values()):
            while left and self._idle:
                worker, shard = self._idle.pop(), left.popleft()
                self._calls[worker.run.remote(shard)] = worker, shard
            finished, answer = self._next()
            if finished is None:
                continue
            if answer is not None and answer.written is not None:
                done(answer.written)
                continue
            spent, most = (losses, LOSSES) if answer is None else (tries, ATTEMPTS)
            spent[finished] += 1
            (left if spent[finished] < most else given_up).append(finished)
        return tuple(sorted(given_up))

    def _next(self) -> tuple[int | None, Answer | None]:
        """Wait for a call: its shard, and the answer, or None where the worker was lost."""
        import ray

        (ready, *_), _ = ray.wait(list(self._calls))
        worker, shard = self._calls.pop(ready)
        try:
            answer: Answer = ray.get(ready)
        except ray.exceptions.RayError as error:
            ray.kill(worker)  # where it was only out of reach
            if shard is None:
                self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                raise EnvironmentFault(
                    f"ray: {FAILED_STARTS} workers in a row died before they could work "
                    f"({type(error).__name__})",
                    "see that every machine has this version of tuni and memory for a checkpoint "
                    "a worker (TUNI_WORKERS), then: tuni audits resume " + self._audit,
                ) from None
            self._open()
            return shard, None
        if answer.fault is not None:
            raise answer.fault
        self._failed_starts = 0
        self._idle.append(worker)
        return shard, answer

    def _open(self) -> None:
        worker: Any = self._actor.remote(self._audit)  # Any: a handle, whose methods Ray makes
        self._calls[worker.open.remote()] = worker, None


@contextmanager
def _cluster(home: Path, settings: Settings, address: str | None) -> Iterator[int]:
    """Connect this process to a cluster; how many workers it can hold."""
    prepare_ray(own=address is None)
    import ray

    job: Any = ray.job_config.JobConfig()  # Any: Ray has no other switch for the following
    # Else its workers import what has the name of a package of ours in the working folder.
    job._runtime_env_has_working_dir = lambda: True
    with ExitStack() as stack:
        # Ray tells on stdout whom it lost; there stands the result of a command.
        silence = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(redirect_stdout(silence))
        quiet: dict[str, Any] = {  # Any: keyword arguments of several types
            "job_config": job,
            "log_to_driver": False,
            "configure_logging": False,
            "logging_level": "ERROR",
        }
        if address is None:
            quiet |= {
                "num_cpus": settings.workers or len(os.sched_getaffinity(0)),
                "include_dashboard": False,
                "object_store_memory": _STORE_BYTES,
                "_temp_dir": str(stack.enter_context(_folder(home))),
            }
        stack.callback(ray.shutdown)
        try:
            ray.init(address=address or "local", **quiet)
            there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise EnvironmentFault(
                f"ray: cannot {'start a' if address is None else 'join the'} cluster "
                f"({type(error).__name__})",
                "ray start --address HOST:PORT makes this machine a node of it; `ray status` tells"
                if address
                else "see that memory and disk have room, or use --engine local",
            ) from None
        yield _room(there, settings)


def _room(there: dict[str, float], settings: Settings) -> int:
    """How many workers there are to be, and no more than the cluster has room for."""
    room = int(there.get("CPU", 0))
    if settings.gpu_share:
        room = min(room, int(there.get("GPU", 0) / settings.gpu_share + 1e-9))
    if room < 1:
        raise RequestError(
            "TUNI_GPU_SHARE: the cluster has no GPU that is so large"
            if settings.gpu_share
            else "--engine: the cluster has no core for a worker",
            "unset TUNI_GPU_SHARE, or add a node that has one (`ray status` tells)",
        )
    return min(room, settings.workers or room)


@contextmanager
def _folder(home: Path) -> Iterator[Path]:
    """A folder for Ray's files in the home, which goes with the cluster.

    Ray opens the folder that it is given to everybody; this one lies in one that only its owner
    can enter.
    """
    with ExitStack() as stack:
        real = stack.enter_context(scratch_folder(home)) / "r"
        real.mkdir()
        if len(str(real)) <= _LONGEST_FOLDER:
            yield real
            return
        # Not what TMPDIR names: that of `tuni up`'s worker lies in the home.
        short = stack.enter_context(scratch_folder(Path("/tmp")))
        (short / "r").symlink_to(real)
        yield short / "r"

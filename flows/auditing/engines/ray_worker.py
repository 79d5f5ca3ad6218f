"""One worker of an audit in a process of its own, which Ray starts somewhere.

The one law: nothing but numbers and errors of ours goes through Ray, which keeps what it carries
and logs what it does not know. So no exception leaves: an answer says what happened.
"""

import os
from dataclasses import dataclass

from flows.auditing.shards import ShardWorker
from flows.machine.environment import log_to
from flows.machine.guard import guard
from flows.machine.home import open_home
from flows.machine.settings import read_settings
from tuni.errors import EnvironmentFault, TuniError


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says.

    Attributes:
        written: Verdicts of the shard; None where it failed.
        fault: What ends the audit, without its cause; None where nothing does.
    """

    written: int | None = None
    fault: TuniError | None = None


class RayWorker:
    """Judges shards of one audit with what this machine's settings name."""

    def __init__(self, audit: str) -> None:
        """Begin empty: what an actor raises here, Ray would log.

        Args:
            audit: The audit's id.
        """
        self._audit = audit
        self._worker: ShardWorker | None = None

    def open(self) -> Answer:
        """Load the detector and the checkpoint, once."""
        try:
            with guard("a worker that was opened"):
                import torch

                torch.set_num_threads(1)  # there is a worker for each core
                os.umask(0o077)  # as `tuni` has it; a cluster that is joined may have another
                settings = read_settings()
                log_to(open_home(settings).logs)
                self._worker = ShardWorker.open(settings, self._audit)
                self._worker.detector.target  # noqa: B018 (loads it)
        except TuniError as error:
            return Answer(fault=_alone(error))
        return Answer(0)

    def run(self, shard: int) -> Answer:
        """Judge what a shard still lacks."""
        if self._worker is None:
            return Answer(fault=EnvironmentFault("ray: a worker was not opened", "report it"))
        try:
            with guard(f"shard {shard}"):
                return Answer(self._worker.attempt(shard))
        except TuniError as error:
            return Answer(fault=_alone(error))


def _alone(error: TuniError) -> TuniError:
    """The error without frames and cause, which Ray would carry."""
    return type(error)(*error.args)

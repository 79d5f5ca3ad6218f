"""Progress of an audit: a bar in the terminal, and an artifact on Prefect's page of the run."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext

from flows.machine.console import current_progress
from registry.audits.audits import Audit
from tuni.progress import Progress

_TELL_EVERY_S = 5.0


class AuditProgress:
    """Tells how many subjects of an audit have a verdict."""

    def __init__(self, audit: Audit, written: int) -> None:
        """Begin with what earlier calls wrote.

        Args:
            audit: The audit.
            written: Subjects that have a verdict already.
        """
        self._audit = audit
        self._done = written
        self._stack = ExitStack()
        self._artifact: UUID | None = None
        self._told = time.monotonic()

    @staticmethod
    def bars() -> Progress:
        """What draws the stages of this process."""
        return current_progress.get()

    def __enter__(self) -> Self:
        """Draw the bar and, inside a flow, make the artifact."""
        total = self._audit.subjects
        self._step = self._stack.enter_context(self.bars().stage("verdicts", total))
        self._step(self._done)
        if FlowRunContext.get() is not None:
            made = create_progress_artifact(
                progress=self._percent,
                key=f"audit-{self._audit.id}",
                description=f"Audit {self._audit.id}: verdicts of {total:,} subjects",
            )
            self._artifact = made if isinstance(made, UUID) else None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the last state."""
        self._stack.close()
        self._tell()

    def done(self, subjects: int) -> None:
        """Tell that some more subjects have a verdict."""
        self._done += subjects
        self._step(subjects)
        if time.monotonic() - self._told >= _TELL_EVERY_S:
            self._tell()

    @property
    def _percent(self) -> float:
        return 100.0 * self._done / max(1, self._audit.subjects)

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._artifact is not None:
            update_progress_artifact(self._artifact, progress=self._percent)

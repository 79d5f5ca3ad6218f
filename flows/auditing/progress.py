"""Progress of an audit: a bar in the terminal, and an artifact on Prefect's page of the run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext

from flows.machine.console import current_progress
from registry.audits.audits import Audit

_TELL_EVERY_S = 5.0


@contextmanager
def verdict_progress(audit: Audit, written: int) -> Iterator[Callable[[int], None]]:
    """Tell how many subjects of an audit have a verdict: a bar and, inside a flow, an artifact.

    Args:
        audit: The audit.
        written: Subjects that have a verdict already.

    Yields:
        What is to be told how many more have one.
    """
    done, told = written, time.monotonic()
    artifact: object = None

    def tell() -> None:
        if isinstance(artifact, UUID):
            update_progress_artifact(artifact, progress=percent())

    def percent() -> float:
        return 100.0 * done / max(1, audit.subjects)

    def more(subjects: int) -> None:
        nonlocal done, told
        done += subjects
        step(subjects)
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            tell()

    with current_progress.get().stage("verdicts", audit.subjects) as step:
        step(written)
        if FlowRunContext.get() is not None:
            artifact = create_progress_artifact(
                progress=percent(),
                key=f"audit-{audit.id}",
                description=f"Audit {audit.id}: verdicts of {audit.subjects:,} subjects",
            )
        try:
            yield more
        finally:
            tell()

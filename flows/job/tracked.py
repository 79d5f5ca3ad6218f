"""The MLflow run of a job, found again by the job's hash."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flows.job.job import Job
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun


@contextmanager
def job_run(job: Job, *, last: bool = False) -> Iterator[JobRun]:
    """Go on with the job's run.

    Args:
        job: Gives hash, names and settings.
        last: Whether the job is done when the block ends; else the run stays open for the next
            stage, and only a failure ends it.
    """
    with ExitStack() as ended:
        run = ended.enter_context(
            JobRun.open(configure(job.home, job.settings.runs_uri), labels(job))
        )
        yield run
        if not last:
            ended.pop_all()


def labels(job: Job) -> JobLabels:
    """What tells this job from others in MLflow's list of runs."""
    trials = f", {job.request.search.trials} trials" if job.objective != "none" else ""
    return JobLabels(
        job=job.hash,
        name=f"{job.request.checkpoint.name}: {job.objective}{trials}",
        checkpoint=job.request.checkpoint.name,
        fingerprint=job.target.fingerprint,
        spec=job.spec.hash,
    )

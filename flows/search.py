"""The flow that looks for a detector: trials, features as they ask, one cross-fitted choice."""

from prefect import flow, task

from flows.job.folder import CHOICE
from flows.job.job import open_job
from flows.job.search.choose import choose
from flows.job.search.space import default_detector
from flows.job.search.trials import Trials
from flows.machine.guard import guarded
from flows.machine.settings import Request


@flow(name="search", flow_run_name="search {request.checkpoint.name}", log_prints=False)
@guarded
def search(request: Request) -> str:
    """Try detectors on the search sets and choose one; the default H2 stays unless beaten.

    Returns:
        Hash of the chosen detector, which is written in the job's folder.
    """
    extract_features(request)
    return try_detectors(request)


@task(name="extract what the default detector reads")
@guarded
def extract_features(request: Request) -> int:
    """Fill the encrypted cache for the first trial, the default; others ask for theirs.

    Returns:
        The number of texts that a trial judges.
    """
    job = open_job(request)
    if job.objective == "none" or job.folder.kept(CHOICE):
        return 0
    trials = Trials(job)
    job.features.load(trials.needs(default_detector(job.spec)))
    return sum(len(getattr(job.sets, name)) for name in trials.judged)


@task(name="try detectors and choose")
@guarded
def try_detectors(request: Request) -> str:
    """Run the study to its end and keep the choice."""
    job = open_job(request)
    kept = job.folder.kept(CHOICE)
    if kept is None:
        kept = choose(job)
        job.folder.keep(CHOICE, kept)
    return str(kept["hash"])

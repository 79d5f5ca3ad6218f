"""The flow that fits the chosen detector and takes its thresholds from decoys."""

from prefect import flow, task

from flows.job.calibration import make_bundle
from flows.job.folder import DRAFT
from flows.job.job import open_job
from flows.machine.guard import guarded
from flows.machine.settings import Request
from tuni.detectors.bundle import write_bundle


@flow(name="calibrate", flow_run_name="calibrate {request.checkpoint.name}", log_prints=False)
@guarded
def calibrate(request: Request) -> str:
    """Fit the detector that the search chose, and take its thresholds from decoys.

    Returns:
        The digest of the bundle, which lies in the job's folder.
    """
    return fit_and_calibrate(request)


@task(name="fit the chosen detector, calibrate on decoys")
@guarded
def fit_and_calibrate(request: Request) -> str:
    """Write the draft of the bundle, without the evidence that the evaluation adds."""
    job = open_job(request)
    return write_bundle(make_bundle(job, job.chosen_detector()), job.folder / DRAFT)

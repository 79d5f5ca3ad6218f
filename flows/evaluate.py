"""The flow that measures the calibrated detector on labelled texts nobody chose it on."""

from dataclasses import asdict, replace

from prefect import flow, task

from flows.job.evaluation import Evaluated, _curves, _evidence, _params, evaluate_job
from flows.job.folder import CHOICE, DRAFT, EVALUATION, FINAL
from flows.job.job import open_job
from flows.job.tracked import job_run
from flows.machine.guard import guarded
from flows.machine.settings import Request
from tuni.detectors.bundle import read_bundle, write_bundle


@flow(name="evaluate", flow_run_name="evaluate {request.checkpoint.name}", log_prints=False)
@guarded
def evaluate(request: Request) -> str:
    """Measure power, false accusations and gates on labelled-test; write the final bundle.

    Returns:
        The digest of the bundle, evidence included.
    """
    return evaluate_bundle(request)


@task(name="measure power, false accusations and gates")
@guarded
def evaluate_bundle(request: Request) -> str:
    """Measure once and keep the result; each reading of labelled-test is written down."""
    job = open_job(request)
    bundle = read_bundle(job.folder / DRAFT)
    kept = job.folder.kept(EVALUATION)
    if kept is None:
        job.ledger.record_reading(job.hash, job.test_set)
        kept = asdict(evaluate_job(job, bundle))
        job.folder.keep(EVALUATION, kept)
    evaluated = Evaluated.from_dict(kept)
    with job_run(job) as run:
        run.log_params(_params(job, evaluated))
        run.log_metrics(evaluated.headline)
        for name, points in _curves(evaluated.evaluation).items():
            run.log_curve(name, points)
        run.log_json("request.json", job.logged_request())
        run.log_json("evaluation.json", kept)
        run.log_json("choice.json", job.folder.kept(CHOICE))
        for chart in evaluated.charts:
            run.log_file(job.folder / chart["file"], "figures")
    return write_bundle(replace(bundle, evidence=_evidence(job, evaluated)), job.folder / FINAL)

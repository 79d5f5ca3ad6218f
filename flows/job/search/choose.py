"""The search: many trials on features extracted once, and one cross-fitted choice among them."""

from dataclasses import asdict
from typing import Any

import numpy as np

from flows.job.job import Job
from flows.job.search.space import default_detector, paper_detector
from flows.job.search.trials import Trial, Trials, importance, run_trials
from flows.job.tracked import job_run
from tuni.detectors.describe import describe

JSON = dict[str, Any]  # Any: JSON values


def choose(job: Job) -> JSON:
    """Run the study and judge its winner against the default; returns what is kept of it."""
    default = default_detector(job.spec)
    if job.objective == "none":
        return {
            "detector": default.to_json(),
            "hash": default.hash,
            "objective": "none",
            "reason": "neither labels nor a list to search on: the default detector is taken",
            "judgement": None,
            "trials": [],
            "importance": {},
        }
    trials = Trials(job)
    with job_run(job) as run:

        def logged(trial: Trial) -> None:
            run.log_child(
                "trial",
                trial.index,
                trial.name,
                trial.params,
                {"objective": trial.objective, "seconds": trial.seconds, **trial.metrics},
            )

        done = run_trials(job, trials, logged)
        best = np.maximum.accumulate([trial.objective for trial in done])
        run.log_curve(
            "best_objective_by_trial",
            {trial.index: float(value) for trial, value in zip(done, best, strict=True)},
        )
    judgement = trials.judgement(done)
    chosen = next(trial for trial in done if trial.index == judgement.chosen)
    return {
        "detector": chosen.detector.to_json(),
        "hash": chosen.detector.hash,
        "objective": job.objective,
        "reason": judgement.reason,
        "judgement": asdict(judgement),
        "trials": [_summary(trial, chosen, job) for trial in done],
        "importance": importance(job),
    }


def _summary(trial: Trial, chosen: Trial, job: Job) -> JSON:
    paper = paper_detector(job.spec)
    role = "other"
    if trial.detector.hash == chosen.detector.hash:
        role = "chosen"
    elif trial.detector.hash == default_detector(job.spec).hash:
        role = "default"
    elif paper is not None and trial.detector.hash == paper.hash:
        role = "paper"
    return {
        "index": trial.index,
        "name": trial.name,
        "words": describe(trial.detector),
        "role": role,
        "objective": trial.objective,
        "metrics": dict(trial.metrics),
        "hash": trial.detector.hash,
    }

"""What is logged to MLflow, and how it is named: one parent run per job, one child per trial.

The one law: aggregates only. No text of a subject or decoy and no pseudonym reaches a parameter,
tag, metric or artifact, and nobody's account name or script path stands in a run.
"""

import json
import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from registry.models.connection import EXPERIMENT, Tracking, all_pages
from tuni import __version__
from tuni.errors import ClaimWithheld, TrackingError, UnusableScores
from tuni.visible import markdown, one_line

if TYPE_CHECKING:  # MLflow takes seconds to import, and reads its environment while doing so
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARAM_LENGTH = 6000  # MLflow cuts what is longer without a word (3.17)
BATCH = 100

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]
TrialState = Literal["complete", "failed"]
ChildKind = Literal["trial", "method"]

_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_ ./:-]{0,249}")
_BARE_FPR = re.compile(r"(?<!gibberish_)(?<!decoy_)(?<!nonmember_)fpr")


@dataclass(frozen=True, slots=True)
class JobLabels:
    """What tells one job from another in the run list.

    Attributes:
        job: Hash of everything that the job's result depends on; finds the run again.
        name: Run name for people, e.g. ``"ours-vit-b-32 labelled 60 trials"``.
        checkpoint: Name of the checkpoint.
        fingerprint: Of the checkpoint.
        spec: Hash of the feature spec.
        kind: What was done: ``"job"``, ``"audit"`` or another kind of report.
        began: When the work began, where that was before the run is made.
        version: Version of tuni.
        commit: Git commit of the code, or None where it is not run from a clone.
    """

    job: str
    name: str
    checkpoint: str
    fingerprint: str
    spec: str
    kind: str = "job"
    began: datetime | None = None
    version: str = __version__
    commit: str | None = field(default_factory=lambda: code_commit())

    def tags(self) -> dict[str, str]:
        """The run's tags."""
        return {
            "kind": self.kind,
            self.kind: self.job,
            "checkpoint": self.checkpoint,
            "fingerprint": self.fingerprint,
            "spec": self.spec,
            "version": self.version,
            **({"mlflow.source.git.commit": self.commit} if self.commit else {}),
            **_neutral(),
        }


class JobRun:
    """The parent run of one job. Use it as a context manager, which ends the run."""

    def __init__(self, tracking: Tracking, run_id: str, experiment_id: str) -> None:
        """Use `open` instead, which finds the run of a job that was stopped."""
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._tracking = tracking
        self._client = tracking.client()
        self._children: dict[int, tuple[str, str]] | None = None

    @classmethod
    def open(cls, tracking: Tracking, labels: JobLabels, experiment: str = EXPERIMENT) -> Self:
        """Go on with the unfinished run of this job, or begin one."""
        experiment_id = tracking.experiment(experiment)
        client = tracking.client()
        with tracking.errors("open the job's run"):
            for run in _runs(client, experiment_id, _is(labels.job, labels.kind)):
                if run.info.status != "FINISHED":
                    client.update_run(run.info.run_id, status="RUNNING", name=one_line(labels.name))
                    return cls(tracking, run.info.run_id, experiment_id)
            run = client.create_run(
                experiment_id,
                start_time=int(labels.began.timestamp() * 1000) if labels.began else None,
                tags=labels.tags(),
                run_name=one_line(labels.name),
            )
        return cls(tracking, run.info.run_id, experiment_id)

    @staticmethod
    def finished(
        tracking: Tracking, job: str, kind: str = "job", experiment: str = EXPERIMENT
    ) -> str | None:
        """Id of the newest finished run of a job or the like, or None."""
        experiment_id = tracking.experiment(experiment)
        client = tracking.client()
        with tracking.errors("look for the job's run"):
            for run in _runs(client, experiment_id, _is(job, kind)):
                if run.info.status == "FINISHED":
                    return str(run.info.run_id)
        return None

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters; a run that goes on may log the same ones again.

        Raises:
            TrackingError: A parameter has another value already.
        """
        self._batch(self.run_id, params=params)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics. Names say what is measured on whom: ``nonmember_fpr``, never ``fpr``.

        Raises:
            UnusableScores: A value is not finite, or a name is not allowed.
        """
        self._batch(self.run_id, metrics=metrics, step=step)

    def log_curve(self, name: str, points: Mapping[int, float]) -> None:
        """Log a metric at several steps, which MLflow draws as a line.

        Args:
            name: As of any metric; it says what a step is.
            points: Values by step.

        Raises:
            UnusableScores: A value is not finite, or the name is not allowed.
        """
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        drawn = [Metric(name, float(value), now, step) for step, value in points.items()]
        for point in drawn:
            _check_metric(name, point.value)
        with self._tracking.errors("log a curve"):
            for start in range(0, len(drawn), BATCH):
                self._client.log_batch(self.run_id, metrics=drawn[start : start + BATCH])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those that are there."""
        self._batch(self.run_id, tags=tags)

    def set_note(self, *paragraphs: str) -> None:
        """Set what MLflow shows on top of the run, as plain text: markup in it is shown."""
        note = "\n\n".join(map(markdown, paragraphs))
        self._batch(self.run_id, tags={"mlflow.note.content": note})

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Add a file under its own name, below ``folder`` of the run's artifacts."""
        with self._tracking.errors(f"log {path.name}"):
            self._client.log_artifact(self.run_id, str(path), folder)

    def log_text(self, name: str, content: str) -> None:
        """Add a text file, e.g. ``report.html`` or ``figures/roc.svg``."""
        with self._tracking.errors(f"log {name}"):
            self._client.log_text(self.run_id, content, name)

    def log_json(self, name: str, value: object) -> None:
        """Add a JSON file, sorted and indented for people."""
        self.log_text(name, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")

    def log_child(
        self,
        kind: ChildKind,
        number: int,
        name: str,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        state: TrialState = "complete",
    ) -> None:
        """Add a child run; one that is there already stays as it is.

        Args:
            kind: What the children of this run are.
            number: Number among them, which makes the child unique.
            name: What it is, for people, e.g. ``"pair_residual + jacobian"``.
            params: Its parameters.
            metrics: Its figures.
            state: How it ended.
        """
        known = self.children()
        run_id, status = known.get(number, ("", "RUNNING"))
        if status in ("FINISHED", "FAILED"):
            return
        if not run_id:
            with self._tracking.errors(f"log a {kind}"):
                run = self._client.create_run(
                    self.experiment_id,
                    tags={
                        "kind": kind,
                        "number": str(number),
                        "mlflow.parentRunId": self.run_id,
                        **_neutral(),
                    },
                    run_name=f"{number:04d} {one_line(name)}",
                )
            run_id = str(run.info.run_id)
        self._batch(run_id, params=params, metrics=metrics)
        ended = "FINISHED" if state == "complete" else "FAILED"
        with self._tracking.errors(f"log a {kind}"):
            self._client.set_terminated(run_id, ended)
        known[number] = (run_id, ended)

    def children(self) -> dict[int, tuple[str, str]]:
        """Run id and status of the child runs, by number."""
        if self._children is None:
            mine = f"tags.mlflow.parentRunId = '{self.run_id}'"
            with self._tracking.errors("list the child runs"):
                self._children = {
                    int(run.data.tags["number"]): (run.info.run_id, run.info.status)
                    for run in _runs(self._client, self.experiment_id, mine)
                }
        return self._children

    def end(self, status: RunStatus) -> None:
        """End the run."""
        with self._tracking.errors("end the run"):
            self._client.set_terminated(self.run_id, status)

    def __enter__(self) -> Self:
        """The run itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End as finished, failed or, after Ctrl-C, killed; the error's text is not logged."""
        if kind is None or issubclass(kind, ClaimWithheld):
            self.end("FINISHED")
            return
        with suppress(TrackingError):  # the first error is the one to report
            self.end("FAILED" if issubclass(kind, Exception) else "KILLED")

    def _batch(
        self,
        run_id: str,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        for name, value in (metrics or {}).items():
            _check_metric(name, value)
        now = time.time_ns() // 1_000_000
        points = [Metric(key, float(value), now, step) for key, value in (metrics or {}).items()]
        settings = [Param(key, _short(value)) for key, value in (params or {}).items()]
        marks = [RunTag(key, value) for key, value in (tags or {}).items()]
        longest = max(len(points), len(settings), len(marks))
        with self._tracking.errors("log parameters and metrics"):
            for start in range(0, longest, BATCH):
                some = slice(start, start + BATCH)
                self._client.log_batch(run_id, points[some], settings[some], marks[some])


def code_commit() -> str | None:
    """Git commit of the clone that this code is run from, or None where it is installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _neutral() -> dict[str, str]:
    # MLflow would put the account's name and the script's path here.
    return {"mlflow.user": "tuni", "mlflow.source.name": "tuni", "mlflow.source.type": "LOCAL"}


def _is(job: str, kind: str) -> str:
    if not (job.isalnum() and kind.isalnum()):
        raise TrackingError(f"{kind}: {job!r} is not alphanumeric", "please report this fault")
    return f"tags.kind = '{kind}' and tags.{kind} = '{job}'"


def _runs(client: "MlflowClient", experiment_id: str, query: str) -> list["Run"]:
    newest = ["attributes.start_time DESC"]
    return all_pages(
        lambda token: client.search_runs(
            [experiment_id], query, max_results=1000, order_by=newest, page_token=token
        )
    )


def _check_metric(name: str, value: float) -> None:
    if not _METRIC.fullmatch(name) or _BARE_FPR.search(name):
        raise UnusableScores(
            f"metric {name!r}: not a name that we log",
            "use letters, digits and _-./: and say whose false positives (nonmember_fpr)",
        )
    if not -1e300 < value < 1e300:  # MLflow would write 1.797e308 for infinity
        raise UnusableScores(
            f"metric {name!r}: not finite", "leave a figure out that cannot be computed"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 8] + " … (cut)"

"""The whole job: search, calibrate, evaluate, register; each stage finds the last one's result."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.calibrate import calibrate
from flows.evaluate import evaluate
from flows.job.evaluation import Evaluated
from flows.job.folder import EVALUATION, FINAL, OUTCOME
from flows.job.job import open_job, shared_jobs
from flows.job.promotion import _reason, _tags, _tell_champion, decide
from flows.job.report import job_evidence
from flows.job.tracked import job_run
from flows.machine.guard import guarded
from flows.machine.settings import Request
from flows.pages.publish import EVIDENCE, REPORT, log_report, write_report
from flows.search import search
from registry.models.store import ModelStore


@task(name="register the detector and decide on the champion")
@guarded
def register_bundle(request: Request) -> int:
    """Register the job's bundle, once, and move the aliases; returns the version."""
    job = open_job(request)
    evaluated = Evaluated.from_dict(job.folder.kept(EVALUATION))
    store = ModelStore(job.home, job.settings.runs_uri, job.ledger, job.settings.trusted_keys)
    name = request.checkpoint.name
    version = store.find_version(name, "job", job.hash)
    with job_run(job, last=True) as run:
        if version is None:
            version = store.register(
                name,
                job.folder / FINAL,
                tags=_tags(job, evaluated),
                description=evaluated.sentence,
                run_id=run.run_id,
            )
        texts = [*job.sets.labelled_dev, *job.sets.labelled_test]
        if job.objective == "label-free":
            texts += [*job.sets.list_search, *job.sets.list_judge]
        job.ledger.record_selection(name, version.version, texts)
        if "reason" not in version.tags:
            decision = decide(job, store, evaluated)
            move = store.promote if decision.champion else store.challenge
            version = move(name, version.version, decision.reason)
            if decision.champion:
                _tell_champion(name, version.version)
        alias = version.aliases[0] if version.aliases else "none"
        job.folder.keep(
            OUTCOME, {"version": version.version, "alias": alias, "reason": _reason(version)}
        )
        evidence = job_evidence(job, evaluated, f"{version.version} ({alias})")
        write_report(evidence, job.folder / EVIDENCE, job.folder / REPORT)
        log_report(
            run,
            evidence,
            note=f"{evaluated.asked} {evaluated.sentence} Registered as version "
            f"{version.version} ({alias}): {_reason(version)}.",
        )
        run.set_tags({"version_registered": str(version.version), "alias": alias})
    return version.version


@flow(name="run", flow_run_name="run {request.checkpoint.name}", log_prints=False)
@guarded
def run(request: Request) -> int:
    """Search, calibrate, evaluate and register a detector for one checkpoint.

    Unchanged inputs register nothing: the version that they gave before is returned.

    Args:
        request: Paths and settings; texts stay in the files that it names.

    Returns:
        The registered version.
    """
    with shared_jobs():
        search(request)
        calibrate(request)
        evaluate(request)
        return register_bundle(request)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job came to.

    Attributes:
        name: Registered model.
        version: Registered version.
        alias: ``"champion"``, ``"challenger"`` or ``"none"``.
        reason: Why that alias.
        unchanged: Whether the same inputs had given this version before.
        evaluated: Measured figures and gates.
        report: The report page.
    """

    name: str
    version: int
    alias: str
    reason: str
    unchanged: bool
    evaluated: Evaluated
    report: Path

    @property
    def withheld(self) -> str | None:
        """Why no claim may be made from the detector, or None."""
        return self.evaluated.withheld

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return {
            "model": self.name,
            "version": self.version,
            "alias": self.alias,
            "reason": self.reason,
            "unchanged": self.unchanged,
            "detector": self.evaluated.detector,
            "found": self.evaluated.sentence,
            "withheld": self.withheld,
            "figures": dict(self.evaluated.headline),
            "gates": {gate.name: gate.passed for gate in self.evaluated.gates},
            "report": str(self.report),
        }

    def text(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.name} version {self.version} is {self.alias}: {self.reason}",
            f"  detector: {self.evaluated.detector}",
            f"  {self.evaluated.sentence}",
        ]
        marks = {True: "passed", False: "FAILED", None: "not run"}
        lines += [
            f"  gate {gate.name}: {marks[gate.passed]}. {gate.sentence}"
            for gate in self.evaluated.gates
        ]
        if self.withheld:
            lines.append(f"  claim withheld: {self.withheld}")
        if self.unchanged:
            lines.append("  the inputs are unchanged, nothing new was registered")
        lines.append(f"  report: {self.report}")
        return "\n".join(lines)


def run_request(request: Request) -> Outcome:
    """Do the job, or find that it is done, and say what came of it.

    Raises:
        InputError: The request, a file or the checkpoint cannot be used.
        EnvironmentFault: The home, the registry or this program failed.
    """
    job = open_job(request)
    unchanged = job.is_registered()
    if not unchanged:
        run(request)
    outcome = job.folder.kept(OUTCOME)
    return Outcome(
        name=request.checkpoint.name,
        version=outcome["version"],
        alias=outcome["alias"],
        reason=outcome["reason"],
        unchanged=unchanged,
        evaluated=Evaluated.from_dict(job.folder.kept(EVALUATION)),
        report=job.folder / REPORT,
    )

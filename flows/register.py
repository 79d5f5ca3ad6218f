"""The stage that registers a bundle and decides which alias it gets, with the reason on it."""

from dataclasses import dataclass

from prefect import task
from prefect.events import emit_event

from flows.calibrate import FINAL
from flows.evaluate import Evaluated, score_labelled_test
from flows.job.folder import EVALUATION, OUTCOME
from flows.job.job import Job, open_job
from flows.job.report import write_pages
from flows.job.tracked import job_run
from flows.machine.guard import guarded
from flows.machine.settings import Request
from registry.models.store import ModelStore
from registry.models.versions import RegisteredVersion
from tuni.detectors.bundle import read_bundle
from tuni.features.spec import canonical_json
from tuni.seeds import derive_seed
from tuni.statistics.comparison import non_inferiority

CHAMPION_CHANGED = "tuni.champion.changed"  # prefect.yaml waits for it


@dataclass(frozen=True, slots=True)
class Decision:
    """Which alias a version gets.

    Attributes:
        champion: Whether it becomes champion; else it is kept as challenger.
        reason: Why, one sentence.
    """

    champion: bool
    reason: str


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
        for file in write_pages(job, evaluated, f"{version.version} ({alias})"):
            run.log_file(file)
        run.set_tags({"version_registered": str(version.version), "alias": alias})
        run.set_note(
            f"{evaluated.asked} {evaluated.sentence} Registered as version {version.version} "
            f"({alias}): {_reason(version)}."
        )
    return version.version


def decide(job: Job, store: ModelStore, evaluated: Evaluated) -> Decision:
    """Champion where the gates pass and it is not inferior to the champion so far.

    Both are scored on the same labelled-test; with too few labels to tell, the champion stays.
    """
    failed = [gate.name for gate in evaluated.gates if gate.passed is False]
    if failed:
        return Decision(False, f"gates failed: {', '.join(failed)}")
    champion = store.champion(job.request.checkpoint.name)
    if champion is None:
        idle = [gate.name for gate in evaluated.gates if gate.passed is None]
        told = f"; not run: {', '.join(idle)}" if idle else ""
        power = "" if job.has_test_labels else "; power unknown, no labelled texts"
        return Decision(True, f"first detector of this checkpoint, no gate failed{told}{power}")
    if not job.has_test_labels:
        return Decision(False, "no labelled texts to compare it with the champion on")
    old = read_bundle(store.pull(champion.name, champion.version))
    new = read_bundle(job.folder / FINAL)
    members = job.test_members
    job.ledger.record_reading(job.hash, "labelled_test (promotion)")
    verdict = non_inferiority(
        score_labelled_test(job, old),
        score_labelled_test(job, new),
        members,
        derive_seed(job.request.compute.seed, "promotion"),
        job.request.gates.non_inferiority,
    )
    figures = (
        f"AUC {verdict.challenger_auc:.3f} against the champion's {verdict.champion_auc:.3f} on "
        f"{verdict.members} + {verdict.nonmembers} texts, difference "
        f"{verdict.low:+.3f} to {verdict.high:+.3f}, margin {verdict.margin:g}"
    )
    if verdict.decision == "non-inferior":
        return Decision(True, f"not inferior to version {champion.version}: {figures}")
    words = {"inferior": "inferior to", "cannot tell": "too few labels to compare with"}
    return Decision(False, f"{words[verdict.decision]} version {champion.version}: {figures}")


def _tell_champion(name: str, version: int) -> None:
    """Tell Prefect that a checkpoint has a new champion: automations may start an audit."""
    emit_event(
        event=CHAMPION_CHANGED,
        resource={"prefect.resource.id": f"tuni.checkpoint.{name}"},
        payload={"checkpoint": name, "version": version},
    )


def _reason(version: RegisteredVersion) -> str:
    return version.tags.get("reason", "")


def _tags(job: Job, evaluated: Evaluated) -> dict[str, str]:
    return {
        "job": job.hash,
        "spec": job.spec.hash,
        "objective": job.objective,
        "detector": evaluated.detector,
        "gates": canonical_json(
            {
                gate.name: {True: "passed", False: "failed", None: "not run"}[gate.passed]
                for gate in evaluated.gates
            }
        ),
        **{name: f"{value:.4f}" for name, value in evaluated.headline.items()},
    }

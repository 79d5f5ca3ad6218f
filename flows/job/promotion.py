"""Which alias a registered version gets, and why; Prefect is told of a new champion."""

from dataclasses import dataclass

from prefect.events import emit_event

from flows.job.evaluation import Evaluated, score_labelled_test
from flows.job.folder import FINAL
from flows.job.job import Job
from registry.models.store import ModelStore
from registry.models.versions import RegisteredVersion
from tuni.detectors.bundle import read_bundle
from tuni.hashing import canonical_json, derive_seed
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


def decide(job: Job, store: ModelStore, evaluated: Evaluated) -> Decision:
    """Champion where the gates pass and it is inferior neither to the champion nor to the first.

    Each step may lose the margin, so the first one bounds what all steps together may lose. All are
    scored on the same labelled-test; with too few labels to tell, the champion stays.
    """
    failed = [gate.name for gate in evaluated.gates if gate.passed is False]
    if failed:
        return Decision(False, f"gates failed: {', '.join(failed)}")
    champion = store.champion(job.request.checkpoint.name)
    if champion is None:
        idle = [gate.name for gate in evaluated.gates if gate.passed is None]
        told = f"; not run: {', '.join(idle)}" if idle else ""
        power = f"; power unknown, no {lacking}" if (lacking := job.lacking_labels) else ""
        return Decision(True, f"first detector of this checkpoint, no gate failed{told}{power}")
    if lacking := job.lacking_labels:
        return Decision(False, f"no {lacking} to compare it with the champion on")
    job.ledger.record_reading(job.hash, job.test_set)
    scores = score_labelled_test(job, read_bundle(job.folder / FINAL))
    reasons = []
    for version in _rivals(job, store, champion):
        rival = read_bundle(store.pull(champion.name, version))
        verdict = non_inferiority(
            score_labelled_test(job, rival),
            scores,
            job.test_members,
            derive_seed(job.request.compute.seed, "promotion"),
            job.request.gates.non_inferiority,
        )
        reasons.append(
            f"{_WORDS[verdict.decision]} version {version}: AUC {verdict.challenger_auc:.3f} "
            f"against its {verdict.champion_auc:.3f} on {verdict.members} + {verdict.nonmembers} "
            f"texts, difference {verdict.low:+.3f} to {verdict.high:+.3f}, margin "
            f"{verdict.margin:g}"
        )
        if verdict.decision != "non-inferior":
            return Decision(False, reasons[-1])
    return Decision(True, "; ".join(reasons))


_WORDS = {
    "non-inferior": "not inferior to",
    "inferior": "inferior to",
    "cannot tell": "too few labels to compare with",
}


def _rivals(job: Job, store: ModelStore, champion: RegisteredVersion) -> list[int]:
    """The champion, and the first champion that is still kept, where that is another."""
    there = {version.version for version in store.versions(champion.name)}
    moves = job.ledger.moves(champion.name)
    first = (move.version for move in moves if move.alias == "champion" and move.version in there)
    return list(dict.fromkeys([champion.version, next(first, champion.version)]))


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

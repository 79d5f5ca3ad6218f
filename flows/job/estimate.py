"""What a job will cost, from a measured warm-up: told before the work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.job.calibration import CALIBRATED, DECOYS
from flows.job.folder import CHOICE
from flows.job.job import Job, open_job
from flows.job.search.space import default_detector, paper_detector
from flows.job.tables import NULLS
from flows.machine.settings import Request
from flows.machine.show import spell
from tuni.features.cost import Work, warm_up, work_of
from tuni.features.registry import family_named
from tuni.features.work import FamilyWork
from tuni.judging.null import LEAST_DECOYS
from tuni.progress import SILENT

SECONDS_PER_TRIAL = 0.4  # fit, scoring, MLflow: 60 trials of benchmarks/figures.py took 16-30 s
SECONDS_OVERHEAD = 30.0  # Prefect, MLflow, plots and registration; a guess, not measured


@dataclass(frozen=True, slots=True)
class Estimate:
    """Texts to encode and time per family.

    Attributes:
        rows: (family, distinct texts that are not in the cache, seconds).
        seconds: In all, trials and overhead included.
        fresh: Whether anything is left to do.
    """

    rows: tuple[tuple[str, int, float], ...]
    seconds: float
    fresh: bool

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return {
            "seconds": round(self.seconds, 1),
            "families": [
                {"family": name, "texts": count, "seconds": round(wait, 1)}
                for name, count, wait in self.rows
            ],
        }

    def text(self) -> str:
        """A few lines for people."""
        if not self.fresh:
            return "this job is done already; its result follows"
        lines = ["to encode (measured on a few texts):"]
        lines += [
            f"  {name:<10} {count:>9,} texts  {spell(wait):>8}" for name, count, wait in self.rows
        ]
        return "\n".join([*lines, f"the whole job takes about {spell(self.seconds)}"])


def estimate(request: Request) -> Estimate:
    """Count what the job has to encode and time each family on a few texts."""
    job = open_job(request)
    if job.is_registered():
        return Estimate((), 0.0, fresh=False)
    searching = job.objective != "none" and job.folder.kept(CHOICE) is None
    counts: dict[str, int] = {}
    works: dict[str, list[Work]] = {}
    for paired, family, texts in _extractions(job, searching=searching):
        known = job.features.cached(family, sorted(texts), paired=paired)
        work = FamilyWork(job.target, job.spec, family, job.features.bank, SILENT, paired)
        needed = work.all_needed(texts - known)
        counts[family] = counts.get(family, 0) + len(needed)
        works.setdefault(family, []).append(work_of(work, needed))
    rows = tuple(
        (family, count, _seconds(job, family, works[family]) if count else 0.0)
        for family, count in counts.items()
    )
    trials = job.request.search.trials * SECONDS_PER_TRIAL if searching else 0.0
    total = sum(wait for _, _, wait in rows) + trials + SECONDS_OVERHEAD
    return Estimate(rows, total, fresh=True)


def _extractions(job: Job, *, searching: bool) -> list[tuple[bool, str, set[str]]]:
    """What is extracted together: whether with neighbours, the family, the texts."""
    default = default_detector(job.spec).families
    steps = job.features.plan(job.searched if searching else NULLS, None if searching else default)
    steps += job.features.plan((*DECOYS, *CALIBRATED), default)
    if job.has_test_labels:
        paper = paper_detector(job.spec)
        compared = default | (paper.families if paper else set())
        steps += job.features.plan(("labelled_test",), compared)
    found = [(paired, family, {text for _, rows in plan for text in rows})
             for paired, family, plan in steps]  # fmt: skip
    if job.has_test_labels:  # verdicts about them need decoys of their own, many for few texts
        pairs = tuple(text for text in job.sets.labelled_test if job.texts.kind.has_parts(text))
        pool = job.texts.kind.pool(pairs, LEAST_DECOYS)
        decoys = set(pool.recombine(LEAST_DECOYS, 0, frozenset()))
        found += [(family_named(family).neighbours, family, decoys) for family in sorted(default)]
    return found


def _seconds(job: Job, family: str, works: Sequence[Work]) -> float:
    paired = family_named(family).neighbours
    work = FamilyWork(job.target, job.spec, family, job.features.bank, SILENT, paired)
    speed = warm_up(work, job.sets.decoy_fit)
    return sum(map(speed.seconds, works))

"""What a job will cost, from a measured warm-up: told before the work begins."""

import time
from dataclasses import dataclass
from typing import Any

from flows.calibrate import CALIBRATED, NULLS
from flows.job import Job, open_job
from flows.job_folder import CHOICE
from flows.settings import Request
from flows.space import default_detector
from tuni.family_work import FamilyWork
from tuni.features import extract
from tuni.progress import SILENT
from tuni.spec import Family, family_of

INVERTED = 8  # texts of the warm-up of the inversion; the others take one full batch
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
            f"  {name:<10} {count:>9,} texts  {_spell(wait):>8}" for name, count, wait in self.rows
        ]
        return "\n".join([*lines, f"the whole job takes about {_spell(self.seconds)}"])


def estimate(request: Request) -> Estimate:
    """Count what the job has to encode and time each family on a few texts."""
    job = open_job(request)
    job.prepare()
    if job.is_registered():
        return Estimate((), 0.0, fresh=False)
    searching = job.objective != "none" and job.folder.kept(CHOICE) is None
    names = job.searched if searching else NULLS
    steps = job.features.plan(names, None if searching else _default_families(job))
    steps += job.features.plan(CALIBRATED, _default_families(job))
    counts: dict[Family, int] = {}
    for paired, family, plan in steps:
        texts = {text for _, rows in plan for text in rows}
        known = job.features.cached(family, sorted(texts), paired=paired)
        work = FamilyWork(job.target, job.spec, family, job.bank, SILENT, paired)
        needed = {one for text in texts - known for one in work.needed(text)}
        counts[family] = counts.get(family, 0) + len(needed)
    rows = tuple(
        (family, count, count * _seconds_per_text(job, family) if count else 0.0)
        for family, count in counts.items()
    )
    trials = job.request.search.trials * SECONDS_PER_TRIAL if searching else 0.0
    total = sum(wait for _, _, wait in rows) + trials + SECONDS_OVERHEAD
    return Estimate(rows, total, fresh=True)


def _default_families(job: Job) -> set[Family]:
    return {family_of(name) for name in default_detector(job.spec).needed}


def _seconds_per_text(job: Job, family: Family) -> float:
    count = INVERTED if family == "inversion" else job.spec.batch
    texts = job.sets.decoy_fit[:count]
    spent = 0.0
    for some in (texts[:2], texts):  # the first call pays for kernels
        started = time.perf_counter()
        extract(job.target, some, job.spec, families=(family,), neighbours=False, bank=job.bank)
        spent = time.perf_counter() - started
    return spent / len(texts)


def _spell(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

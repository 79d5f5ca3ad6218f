"""What a job will cost, from a measured warm-up: told before the work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.job.calibration import CALIBRATED, calibrated_tables, single_detector, single_needs
from flows.job.features import Needs, Step, sources
from flows.job.folder import CHOICE
from flows.job.job import Job, open_job
from flows.job.search.space import default_detector, expected_detectors, paper_detector
from flows.job.search.trials import Trials
from flows.machine.settings import Request
from flows.machine.show import spell
from tuni.detectors.fit import joined
from tuni.detectors.spec import DetectorSpec
from tuni.features.cost import Work, warm_up, work_of
from tuni.judging.null import LEAST_DECOYS

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
    for step in _steps(job, searching=searching):
        work = job.features.work(step)
        needed = work.all_needed(job.features.unknown(step))
        counts[step.family] = counts.get(step.family, 0) + len(needed)
        works.setdefault(step.family, []).append(work_of(work, needed))
    rows = tuple(
        (family, count, _seconds(job, family, works[family]) if count else 0.0)
        for family, count in counts.items()
    )
    trials = job.request.search.trials * SECONDS_PER_TRIAL if searching else 0.0
    total = sum(wait for _, _, wait in rows) + trials + SECONDS_OVERHEAD
    return Estimate(rows, total, fresh=True)


def _steps(job: Job, *, searching: bool) -> list[Step]:
    """What is extracted, as far as can be told: the default stays, a search asks at random."""
    default = default_detector(job.spec)
    chosen = default if searching or job.objective == "none" else job.chosen_detector()
    tables = calibrated_tables(job)
    asked = [
        *_searched(job, default, searching=searching),
        tables.needs(chosen, (*CALIBRATED, "decoy_check")),
        single_needs(single_detector(job.spec)),
    ]
    if job.has_test_labels:
        compared = (chosen, default, paper_detector(job.spec))
        asked += [tables.needs(one, ("labelled_test",)) for one in compared if one is not None]
    steps = job.features.plan(joined(*asked))
    if job.has_test_labels:  # verdicts about them need decoys of their own, many for few texts
        pairs = tuple(text for text in job.sets.labelled_test if job.texts.kind.has_parts(text))
        pool = job.texts.kind.pool(pairs, LEAST_DECOYS)
        decoys = pool.recombine(LEAST_DECOYS, 0, frozenset())
        steps += [
            Step(family, others, {"list decoys": decoys})
            for family, others in sorted(sources(chosen.needed))
        ]
    return steps


def _searched(job: Job, default: DetectorSpec, *, searching: bool) -> list[Needs]:
    """What the trials of a search ask for."""
    if not searching:
        return []
    asked, trials = job.request, Trials(job)
    expected = expected_detectors(
        job.spec, asked.nulls.gibberish, asked.search.trials, asked.compute.seed
    )
    if trials.too_few():
        return [trials.needs(default)]
    return [trials.needs(detector) for detector in expected]


def _seconds(job: Job, family: str, works: Sequence[Work]) -> float:
    own = job.features.work(Step(family, others=False, texts={}))
    speed = warm_up(own, job.sets.decoy_fit)
    return sum(map(speed.seconds, works))

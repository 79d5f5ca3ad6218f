"""How near the estimates come: what `tuni run` and `tuni score` tell, over what it takes then."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from homes import scratch_home
from models import names
from scoring import light
from timing import Row, figure

from flows.machine.settings import Request, Settings
from tuni.detectors.bundle import Bundle, write_bundle

if TYPE_CHECKING:
    from flows.job.job import Job

SEED, WANTED = 1, "0.75 to 1.25"


def measure(smoke: bool) -> Iterator[Row]:
    """A job on the smallest testbed, then lists of names by two detectors of its checkpoint."""
    with scratch_home() as (scratch, settings):
        from flows.benchmark.demo import demo_request
        from flows.job.calibration import make_bundle
        from flows.job.job import Job
        from flows.job.search.space import default_detector
        from tuni.bench.testbed.build import make_testbed
        from tuni.bench.testbed.settings import TestbedSettings

        bed = make_testbed(TestbedSettings.of_size("test", SEED), scratch / "testbeds")
        request = demo_request(bed)
        if smoke:
            small = {"gibberish": 500, "decoy_fit": 200, "decoy_search": 100, "decoy_check": 50}
            nulls = request.nulls.model_copy(update={**small, "decoy_calibration": 200})
            request = request.model_copy(update={"nulls": nulls})
        else:
            yield _run(request)
        job = Job.open(request, settings)
        try:
            _register(job, "default", make_bundle(job, default_detector(job.spec)))
            _register(job, "light", light(job.target))
        finally:
            job.close()
        for name, count in (("default", 300), ("light", 20_000)):
            yield _score(settings, name, 20 if smoke else count, 1 if smoke else 3)


def _run(request: Request) -> Row:
    from flows.job.estimate import estimate
    from flows.job.job import shared_jobs
    from flows.run import run_request

    with shared_jobs():
        told = estimate(request).seconds
        started = time.perf_counter()
        run_request(request)
        taken = time.perf_counter() - started
    return _row("tuni run, smallest testbed, 24 trials", [(told, taken)])


def _register(job: "Job", name: str, bundle: Bundle) -> None:
    from registry.models.store import ModelStore

    folder = job.home.root / f"bench-{name}"
    write_bundle(bundle, folder)
    store = ModelStore(job.home, None, job.ledger)
    version = store.register(name, folder, tags={}, description="bench")
    store.promote(name, version.version, "bench")


def _score(settings: Settings, detector: str, count: int, rounds: int) -> Row:
    """Other names each round: what is kept is not encoded again."""
    from flows.scoring.estimate import ScoreEstimate
    from flows.scoring.score import ScoreRequest, score_file

    pairs = []
    for number in range(rounds):
        listed = settings.home / f"{detector}-{number}.csv"
        listed.write_text("\n".join(["text", *names(count, number), ""]), encoding="utf-8")
        told: list[tuple[float, float]] = []

        def tell(cost: ScoreEstimate, told: list[tuple[float, float]] = told) -> None:
            told.append((cost.seconds, time.perf_counter()))

        out = settings.home / "verdicts.csv"
        score_file(ScoreRequest(detector, listed, out), settings, tell)
        pairs.append((told[0][0], time.perf_counter() - told[0][1]))
    return _row(f"tuni score, {detector} detector, {count:,} names", pairs)


def _row(name: str, pairs: list[tuple[float, float]]) -> Row:
    told, taken = pairs[-1]
    return figure(
        "estimates", f"{name}: told over taken", [one / other for one, other in pairs], "x",
        wanted=WANTED, more={"told s": told, "taken s": taken},
    )  # fmt: skip

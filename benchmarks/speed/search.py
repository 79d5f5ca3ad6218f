"""A search of 200 trials on kept features, what MLflow and Optuna write included."""

import time
from collections.abc import Iterator

from homes import scratch_home
from timing import Row, figure, measured

from flows.machine.settings import SearchTable, read_request

SEED = 1


def measure(smoke: bool) -> Iterator[Row]:
    """Features first, then the study, in one job of a home of its own."""
    with scratch_home() as (scratch, settings):
        from flows.job.job import Job
        from flows.job.search.choose import choose
        from flows.job.search.trials import Trials
        from tuni.bench.testbed.build import make_testbed
        from tuni.bench.testbed.settings import TestbedSettings

        bed = make_testbed(
            TestbedSettings.of_size("test" if smoke else "demo", SEED), scratch / "testbeds"
        )
        trials = 4 if smoke else 200
        update: dict[str, object] = {"search": SearchTable(trials=trials)}
        request = read_request(bed.request)
        if smoke:
            small = {"gibberish": 500, "decoy_fit": 250, "decoy_search": 150, "decoy_check": 50}
            update["nulls"] = request.nulls.model_copy(update={**small, "decoy_calibration": 300})
            update["features"] = request.features.model_copy(update={"inversion": False})
        job = Job.open(request.model_copy(update=update), settings)
        try:
            started = time.perf_counter()
            Trials(job)
            extracted = time.perf_counter() - started
            spent, used = measured(lambda: choose(job))
        finally:
            job.close()
        yield figure(
            "search", f"{trials} trials on kept features", [spent], "s", wanted="<= 180",
            more={"processor s": used, "features before that, s": extracted},
        )  # fmt: skip

"""The search on its own: what it keeps, what it logs, and what it never sees."""

import json
from collections.abc import Iterator

import pytest

from flows.job.job import Job
from flows.job.search.choose import choose
from flows.job.search.space import default_detector
from flows.machine.settings import Request, Settings
from registry.models.connection import configure
from tests.objects import latin_names

NAMES = latin_names(140)


@pytest.fixture(scope="module")
def labelled(registered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, dict]]:
    """A search on labels that say nothing."""
    root = tmp_path_factory.mktemp("labelled")
    rows = (f"{name},{number % 2}" for number, name in enumerate(NAMES))
    (root / "labelled.csv").write_text("\n".join(["text,member", *rows]), encoding="utf-8")
    subjects = {"labelled": root / "labelled.csv"}
    asked = registered.request.model_dump() | {"subjects": subjects, "search": {"trials": 4}}
    job = Job.open(Request.model_validate(asked), Settings(home=root / "home"))
    yield job, choose(job)
    job.close()


def test_the_default_stays_where_the_labels_say_nothing(labelled: tuple[Job, dict]) -> None:
    job, choice = labelled
    assert choice["objective"] == "labelled"
    assert choice["hash"] == default_detector(job.spec).hash
    assert choice["trials"][0]["role"] == "chosen"


def test_every_trial_is_a_run_below_the_job_s(labelled: tuple[Job, dict]) -> None:
    job, choice = labelled
    client = configure(job.home, None).client()
    ids = [one.experiment_id for one in client.search_experiments()]
    (parent,) = client.search_runs(ids, f"tags.job = '{job.hash}'")
    below = client.search_runs(ids, f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    logged = {int(run.data.tags["number"]): run.data.metrics["objective"] for run in below}
    kept = {trial["index"]: trial["objective"] for trial in choice["trials"]}
    assert logged == pytest.approx(kept)


def test_the_best_so_far_is_drawn_as_a_line(labelled: tuple[Job, dict]) -> None:
    job, choice = labelled
    client = configure(job.home, None).client()
    ids = [one.experiment_id for one in client.search_experiments()]
    (parent,) = client.search_runs(ids, f"tags.job = '{job.hash}'")
    points = client.get_metric_history(parent.info.run_id, "best_objective_by_trial")
    values = [one.value for one in sorted(points, key=lambda one: one.step)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(max(one["objective"] for one in choice["trials"]))


def test_a_choice_names_nobody(labelled: tuple[Job, dict]) -> None:
    text = json.dumps(labelled[1])
    assert not [name for name in NAMES if name in text]

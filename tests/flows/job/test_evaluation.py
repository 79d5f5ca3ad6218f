"""What a job says of its detector, with labels of any kind and number, and what it never says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.job.calibration import make_bundle
from flows.job.evaluation import (
    Evaluated,
    evaluate_job,
    judge_labelled_test,
    score_labelled_test,
    sentence_of,
)
from flows.job.folder import CHOICE
from flows.job.job import Job
from flows.job.search.choose import choose
from flows.machine.home import open_ledger
from flows.machine.settings import Request, Settings
from tests.objects import latin_names
from tuni.detectors.defaults import DEFAULT_T
from tuni.judging.null import JudgeOptions
from tuni.lists.split import Split
from tuni.statistics.intervals import Interval, rate

NAMES = latin_names(120)
Measure = Callable[[int, int], tuple[Job, Evaluated]]


@pytest.fixture(scope="module")
def measure(
    registered, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Measure]:
    """Evaluates the default detector on so many members and non-members; one home for all."""
    root = tmp_path_factory.mktemp("evaluate")
    settings = Settings(home=root / "home")
    opened: list[Job] = []
    # In turn for the search and for the evaluation, whatever the home's key is.
    with open_ledger(settings) as ledger:
        sides = Split(ledger.keys.split_key).divide(NAMES, {"dev": 0.5, "test": 0.5}, "labels")
    names = [name for pair in zip(sides["dev"], sides["test"], strict=False) for name in pair]

    @cache
    def run(members: int, nonmembers: int) -> tuple[Job, Evaluated]:
        path = root / f"{members}-{nonmembers}.csv"
        marks = [1] * members + [0] * nonmembers
        rows = (f"{name},{mark}" for name, mark in zip(names, marks, strict=False))
        path.write_text("\n".join(["text,member", *rows]) + "\n", encoding="utf-8")
        asked = registered.request.model_dump() | {"subjects": {"labelled": path}}
        job = Job.open(Request.model_validate(asked), settings)
        opened.append(job)
        job.folder.keep(CHOICE, choose(job))
        return job, evaluate_job(job, make_bundle(job, job.chosen_detector()))

    yield run
    for job in opened:
        job.close()


def gates(evaluated: Evaluated) -> dict[str, bool | None]:
    return {gate.name: gate.passed for gate in evaluated.gates}


def test_fewer_than_twenty_labels_of_a_kind_are_measured_but_nothing_is_searched_on_them(
    measure: Measure,
) -> None:
    job, evaluated = measure(19, 19)
    assert job.objective == "none"
    assert "neither labels nor a list" in job.folder.kept(CHOICE)["reason"]
    assert evaluated.evaluation is not None
    found = evaluated.evaluation["found"]
    assert f"{found['hits']} of {found['n']}" in evaluated.sentence
    assert evaluated.headline["test_found_high"] > evaluated.headline["test_found_low"]


@pytest.mark.parametrize(("counts", "kind"), [((40, 0), "members"), ((0, 40), "non-members")])
def test_labels_of_one_class_leave_power_unknown_and_say_why(
    measure: Measure, counts: tuple[int, int], kind: str
) -> None:
    job, evaluated = measure(*counts)
    assert job.lacking_labels == f"known {'non-members' if kind == 'members' else 'members'}"
    assert evaluated.sentence == (
        f"Power is unknown: all labelled texts that were kept aside are {kind}."
    )
    assert evaluated.evaluation is None
    assert ("strangers against decoys" in gates(evaluated)) == (kind == "non-members")
    assert not [name for name in evaluated.headline if name.startswith("test_")]


def test_power_on_fewer_than_five_people_is_not_told(measure: Measure) -> None:
    _, evaluated = measure(4, 40)  # how many of the four are kept aside depends on the key
    assert evaluated.evaluation is None
    assert evaluated.sentence.startswith("Power is ")
    assert not any(f" {count} members" in evaluated.sentence for count in range(1, 5))
    assert not [name for name in evaluated.headline if name.startswith("test_")]


@pytest.mark.parametrize(("high", "swapped"), [(0.3, True), (0.6, False)])
def test_labels_that_look_swapped_are_called_so(high: float, swapped: bool) -> None:
    measured: Any = SimpleNamespace(
        found=rate(1, 40), nonmember_fpr=rate(20, 40), operating_point=0.05, auc=0.2,
        auc_interval=Interval(0.1, high),
    )  # fmt: skip
    job: Any = None
    assert ("the labels look swapped" in sentence_of(job, measured)) == swapped


def test_what_is_kept_names_nobody_and_comes_back(measure: Measure) -> None:
    _, evaluated = measure(19, 19)
    text = json.dumps(asdict(evaluated))
    assert not [name for name in NAMES if name in text]
    assert json.dumps(asdict(Evaluated.from_dict(json.loads(text)))) == text


def test_the_judged_scores_are_those_of_a_judgement_without_the_lists_decoys(
    measure: Measure,
) -> None:
    job, _ = measure(19, 19)
    bundle = make_bundle(job, DEFAULT_T)
    judged = score_labelled_test(job, bundle)
    assert score_labelled_test(job, bundle) is judged
    again = judge_labelled_test(job, bundle, JudgeOptions(list_decoys=False))
    assert judged.tolist() == again.by_row(again.score).tolist()

"""Which alias a version gets, and why."""

import pytest

from flows.job.evaluation import Evaluated
from flows.job.job import Job
from flows.job.promotion import decide
from flows.machine.settings import Settings
from flows.pages.kinds.job_facts import Gate
from registry.models.store import ModelStore


def evaluated(*gates: Gate) -> Evaluated:
    return Evaluated(
        detector="T",
        asked="Asked.",
        sentence="Found.",
        withheld=None,
        gates=gates,
        headline={},
        evaluation=None,
        compared=(),
        charts=(),
    )


@pytest.fixture
def job(registered):
    opened = Job.open(registered.request, Settings(home=registered.home))
    yield opened
    opened.close()


@pytest.fixture
def empty_store(job, tmp_path):
    class Empty(ModelStore):
        def champion(self, name: str) -> None:
            return None

    return Empty(job.home, None, job.ledger)


def test_failed_gates_make_a_challenger_that_names_them(job, empty_store):
    gates = (Gate("blind", False, "no better"), Gate("null", True, "fine"))
    decision = decide(job, empty_store, evaluated(*gates))
    assert not decision.champion
    assert decision.reason == "gates failed: blind"


def test_the_first_version_whose_gates_pass_is_champion(job, empty_store):
    decision = decide(job, empty_store, evaluated(Gate("null", True, ""), Gate("b", None, "")))
    assert decision.champion


def test_without_labels_to_compare_on_the_champion_stays(job):
    store = ModelStore(job.home, None, job.ledger)
    decision = decide(job, store, evaluated(Gate("null", True, "")))
    assert not decision.champion
    assert "no labelled texts" in decision.reason

"""Which alias a version gets, and why."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.stats import norm

from flows.job import promotion
from flows.job.evaluation import Evaluated
from flows.job.job import Job
from flows.job.promotion import decide
from flows.machine.settings import Settings
from flows.pages.kinds.job_facts import Gate
from registry.ledger.ledger import Move
from registry.models.store import ModelStore
from registry.models.versions import RegisteredVersion


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


def kept(name: str, version: int) -> RegisteredVersion:
    return RegisteredVersion(name, version, (), {}, "", None, datetime.now(UTC))


def test_failed_gates_make_a_challenger_that_names_them(job, empty_store):
    gates = (Gate("blind", False, "no better"), Gate("null", True, "fine"))
    decision = decide(job, empty_store, evaluated(*gates))
    assert not decision.champion
    assert decision.reason == "gates failed: blind"


def test_the_first_version_whose_gates_pass_is_champion(job, empty_store):
    decision = decide(job, empty_store, evaluated(Gate("null", True, ""), Gate("b", None, "")))
    assert decision.champion


@pytest.mark.parametrize(
    ("aucs", "champion", "said"),
    [
        (
            {1: 0.9, 2: 0.9, 3: 0.9},
            True,
            ["not inferior to version 2", "not inferior to version 1"],
        ),
        ({1: 0.97, 2: 0.82, 3: 0.82}, False, ["inferior to version 1"]),
        ({1: 0.8, 2: 0.97, 3: 0.8}, False, ["inferior to version 2"]),
        ({2: 0.9, 3: 0.9}, True, ["not inferior to version 2"]),  # the first was deleted
    ],
)
def test_a_challenger_is_compared_with_the_first_champion_too(
    job, monkeypatch, aucs, champion, said
):
    members = np.arange(400) < 200
    base = np.tile(norm.ppf((np.arange(200) + 0.5) / 200), 2)
    monkeypatch.setattr(Job, "has_test_labels", True)
    monkeypatch.setattr(Job, "test_members", members)
    monkeypatch.setattr(Job, "test_set", "labelled_test 0")
    monkeypatch.setattr(promotion, "read_bundle", lambda version: version)
    monkeypatch.setattr(
        promotion,
        "score_labelled_test",
        # The job's own bundle is the newest version.
        lambda _job, version: base + members * norm.ppf(aucs.get(version, aucs[3])) * np.sqrt(2),
    )

    class Store(ModelStore):
        def champion(self, name: str) -> RegisteredVersion:
            return kept(name, 2)

        def versions(self, name: str) -> tuple[RegisteredVersion, ...]:
            return tuple(kept(name, version) for version in aucs)

        def pull(self, name: str, reference: int, folder: None = None) -> int:
            return reference

    monkeypatch.setattr(
        type(job.ledger),
        "moves",
        lambda _ledger, name: [
            Move(name, version, alias, "", datetime.now(UTC))
            for version, alias in ((1, "champion"), (2, "challenger"), (2, "champion"))
        ],
    )
    decision = decide(job, Store(job.home, None, job.ledger), evaluated(Gate("null", True, "")))
    assert decision.champion is champion
    assert [part.split(":")[0] for part in decision.reason.split("; ")] == said


def test_without_labels_to_compare_on_the_champion_stays(job):
    store = ModelStore(job.home, None, job.ledger)
    decision = decide(job, store, evaluated(Gate("null", True, "")))
    assert not decision.champion
    assert "no labelled texts" in decision.reason

"""What a job says of itself in the end; the job as a whole is in tests/e2e."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.job.evaluation import Evaluated
from flows.pages.kinds.job_facts import Gate
from flows.run import Outcome

EVALUATED = Evaluated(
    detector="H",
    asked="Asked.",
    sentence="Of known members 41 of 60 were found.",
    withheld=None,
    gates=(Gate("blind", True, "Ahead."), Gate("control", None, "Nothing to run it on.")),
    headline={"test_auc": 0.9},
    evaluation=None,
    compared=(),
    charts=(),
)
OUTCOME = Outcome(
    name="ours",
    version=3,
    alias="champion",
    reason="first detector of this checkpoint",
    unchanged=False,
    evaluated=EVALUATED,
    report=Path("report.html"),
)


def test_the_version_its_reason_and_what_was_found_come_first() -> None:
    lines = OUTCOME.text().splitlines()
    assert lines[0] == "ours version 3 is champion: first detector of this checkpoint"
    assert lines[2].strip() == EVALUATED.sentence
    assert "  gate blind: passed. Ahead." in lines
    assert "  gate control: not run. Nothing to run it on." in lines
    assert "unchanged" not in OUTCOME.text()


def test_a_failed_gate_withholds_the_claim_and_says_so() -> None:
    gate = Gate("blind", False, "The spelling alone tells as much.")
    failed = replace(EVALUATED, gates=(gate,), withheld=gate.sentence)
    told = replace(OUTCOME, evaluated=failed)
    assert told.withheld == gate.sentence
    assert f"gate blind: FAILED. {gate.sentence}" in told.text()
    assert f"claim withheld: {gate.sentence}" in told.text()
    assert told.record()["gates"] == {"blind": False}


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_job_that_was_done_before_says_that_it_registered_nothing(unchanged: bool) -> None:
    told = replace(OUTCOME, unchanged=unchanged)
    assert ("nothing new was registered" in told.text()) == unchanged
    assert told.record()["unchanged"] is unchanged

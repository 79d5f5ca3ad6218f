"""A kind of report from outside the packages, as docs/extending.md says: facts, page, one entry."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.pages.evidence import Evidence, evidence_text, report_kind
from flows.pages.publish import EVIDENCE, REPORT, log_report, write_report
from registry.home import Home
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun
from tuni.errors import RequestError

GUIDE = Path(__file__).parents[3] / "docs" / "extending.md"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Evidence]:
    """A report of the kind that the guide makes, its package installed beside ours."""
    section = GUIDE.read_text(encoding="utf-8").split("## A report page")[1].split("\n## ")[0]
    _, *blocks = section.split("```python\n")
    folder = tmp_path / "site"
    (folder / "drift-1.0.dist-info").mkdir(parents=True)
    (folder / "drift-1.0.dist-info" / "entry_points.txt").write_text(
        "[tuni.reports]\ndrift = drift_page:REPORT\n"
    )
    for name, block in zip(("drift_facts", "drift_page"), blocks, strict=True):
        (folder / f"{name}.py").write_text(block.split("```")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    facts = report_kind("drift").facts(checkpoint="ours", shift=0.125)
    yield Evidence(facts, "drift ours", {"seed": "0"}, {"tuni": "1"}, {"bundle": "cd" * 32})
    for name in ("drift_facts", "drift_page"):
        sys.modules.pop(name, None)  # imported once, by the first test


def test_a_kind_from_outside_is_written_and_rendered_again(
    tuni, toy: Evidence, tmp_path: Path
) -> None:
    file, page = tmp_path / "drift.json", tmp_path / "drift.html"
    write_report(toy, file, page)
    assert "The scores of ours moved by 0.125." in page.read_text(encoding="utf-8")
    assert "drift ours" in page.read_text(encoding="utf-8")
    done = tuni("report", file, "--out", tmp_path / "again.html")
    assert done.code == 0, done
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_a_kind_from_outside_is_logged_with_its_opening(toy: Evidence, home: Path) -> None:
    tracking = configure(Home.open(home))
    labels = JobLabels("ab12", "drift of ours", "ours", "f" * 64, "a" * 64, kind="drift")
    with JobRun.open(tracking, labels) as run:
        log_report(run, toy)
    client = tracking.client()
    assert {entry.path for entry in client.list_artifacts(run.run_id)} == {EVIDENCE, REPORT}
    tags = client.get_run(run.run_id).data.tags
    assert tags["kind"] == "drift"
    assert "moved by 0" in tags["mlflow.note.content"]


def test_a_kind_that_nobody_installed_is_refused(toy: Evidence, tuni, refused, tmp_path) -> None:
    file = tmp_path / "other.json"
    file.write_text(evidence_text(toy).replace('"drift"', '"tide"'), encoding="utf-8")
    refused(tuni("report", file, "--model-card"), "was altered")
    with pytest.raises(RequestError, match="kind of report: got 'tide'"):
        report_kind("tide")

"""Two checkpoints' audits of one list, compared."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.audit import audit
from flows.auditing.compare import Comparison, _common, compare_audits
from flows.job.calibration import make_bundle
from flows.job.job import Job
from flows.job.search.space import default_detector
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.evidence import read_evidence
from flows.pages.kinds.comparison_facts import FEW_PARTS, change_table
from flows.pages.publish import render_evidence
from registry.audits.watchlists import Member, Watchlists
from registry.home import Home
from registry.models.connection import configure
from registry.models.store import ModelStore
from tuni.detectors.bundle import write_bundle
from tuni.errors import RequestError, TooFewTexts
from tuni.texts.reference_parts import reference_parts

PARTS = reference_parts("latin/en_US", 1000)
PEOPLE = [f"{PARTS.firsts[n % 40]} {PARTS.lasts[n % 37]}" for n in range(80)]


@pytest.fixture(scope="module")
def two(
    registered, retrained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A home with audits of one list by two checkpoints, one that shares nobody, one unlike."""
    root = tmp_path_factory.mktemp("two")
    shutil.copytree(registered.home, root / "home")
    other = {"name": "other", "folder": retrained_folder}
    source = registered.request.checkpoint.model_copy(update=other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNI_HOME", str(root / "home"))
        job = Job.open(registered.request.model_copy(update={"checkpoint": source}), Settings())
        write_bundle(make_bundle(job, default_detector(job.spec)), root / "bundle")
        store = ModelStore(job.home, None, job.ledger)
        guarded = make_bundle(job, replace(default_detector(job.spec), guard=True))
        write_bundle(guarded, root / "guarded")
        for name, folder in (("other", "bundle"), ("unlike", "guarded")):
            made = store.register(name, root / folder, tags={"job": job.hash}, description="")
            store.promote(name, made.version, "first")
        job.close()
        with open_ledger(Settings()) as ledger:
            Watchlists(ledger).add("staff", [Member(text, {}) for text in PEOPLE])
            Watchlists(ledger).add("guests", [Member("Somebody Else", {})])
        audits = [audit.fn(name, "staff", decoys=200) for name in ("tiny", "other")]
        audits.append(audit.fn("tiny", "guests", decoys=200))
        audits.append(audit.fn("unlike", "staff", decoys=200))
    return root / "home", audits


def test_unrelated_checkpoints_are_compared_without_a_name_on_the_page(
    two: tuple[Path, list[str]], tmp_path: Path
) -> None:
    home, audits = two
    out, page, file = (tmp_path / name for name in ("changes.csv", "page.html", "page.json"))
    found = compare_audits(
        audits[0], audits[1], Settings(home=home), out=out, report=page, evidence=file
    )
    assert found.subjects == len(PEOPLE)
    with out.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert sorted(row["text"] for row in rows) == sorted(PEOPLE)
    assert sum(float(row["p_more"]) <= found.operating_point for row in rows) == found.more
    text = page.read_text(encoding="utf-8")
    assert not [name for name in PEOPLE if name in text or name.split()[1] in text]
    assert "fewer than 5" in text or min(found.more, found.less) >= 5
    assert render_evidence(read_evidence(file)) == text
    assert not [name for name in PEOPLE if name in file.read_text(encoding="utf-8")]


def test_a_comparison_stands_in_mlflow_once_with_its_page(two: tuple[Path, list[str]]) -> None:
    home, audits = two
    for _ in range(2):
        compare_audits(audits[1], audits[0], Settings(home=home))
    client = configure(Home.open(home), None).client()
    ids = [one.experiment_id for one in client.search_experiments()]
    note = f"params.first = '{audits[1]}'"
    (run,) = client.search_runs(ids, f"tags.kind = 'comparison' and {note}")
    assert run.data.metrics["change_subjects"] == len(PEOPLE)
    assert {one.path for one in client.list_artifacts(run.info.run_id)} == {
        "evidence.json",
        "report.html",
    }


def test_the_other_way_round_more_is_less(two: tuple[Path, list[str]]) -> None:
    home, audits = two
    one = compare_audits(audits[0], audits[1], Settings(home=home))
    other = compare_audits(audits[1], audits[0], Settings(home=home))
    assert (one.more, one.less, one.appeared) == (other.less, other.more, other.vanished)


def test_audits_that_cannot_be_compared_are_refused(two: tuple[Path, list[str]]) -> None:
    home, audits = two
    with pytest.raises(RequestError, match="the same one twice"):
        compare_audits(audits[0], audits[0], Settings(home=home))
    with pytest.raises(TooFewTexts, match="share no full name"):
        compare_audits(audits[0], audits[2], Settings(home=home))


def test_the_command_shuts_the_gate_only_when_asked(
    two: tuple[Path, list[str]], tuni, refused
) -> None:
    home, audits = two
    done = tuni("compare", *audits[:2], "--json", home=home)
    assert done.code == 0, done
    told = done.result()
    assert told["gate_shut"] == (told["list_more"] <= 0.01)
    gated = tuni("compare", *audits[:2], "--fail-if-more", home=home)
    assert gated.code == (4 if told["gate_shut"] else 0)
    refused(tuni("compare", audits[0], "000000000000", home=home), "not in this ledger")


def test_the_gate_refuses_detectors_of_different_specifications(
    two: tuple[Path, list[str]], tuni, refused, tmp_path: Path
) -> None:
    home, audits = two
    page = tmp_path / "page.html"
    done = tuni("compare", audits[0], audits[3], "--report", page, "--json", home=home)
    assert done.result()["differing"] == ["detector"]
    assert "The detectors differ in detector" in page.read_text(encoding="utf-8")
    gated = tuni("compare", audits[0], audits[3], "--fail-if-more", home=home)
    refused(gated, "detector: differ between the detectors", "search.objective")


def test_a_gate_needs_names_enough_to_make_decoys_of_their_own_parts(
    two: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home, audits = two
    asked = Settings(home=home)
    assert compare_audits(audits[0], audits[1], asked).own_parts
    few = list(range(3))  # of three names at most six others can be made

    def of_few(ledger, some, kind):
        numbers, sides = _common(ledger, some, kind)
        return numbers[:3], [
            replace(side, scores=side.scores[few], found=side.found[few]) for side in sides
        ]

    monkeypatch.setattr("flows.auditing.compare._common", of_few)
    page = tmp_path / "page.html"
    short = compare_audits(audits[0], audits[1], asked, report=page)
    assert not short.own_parts
    assert FEW_PARTS in short.text()
    assert FEW_PARTS[1:] in page.read_text(encoding="utf-8")
    with pytest.raises(TooFewTexts, match="too few parts to make decoys of"):
        compare_audits(audits[0], audits[1], asked, gate=True)


@pytest.mark.parametrize(("p", "shut"), [(0.01, True), (0.011, False)])
def test_the_gate_shuts_at_one_per_cent(p: float, shut: bool) -> None:
    counts = (0,) * 6
    assert Comparison("a", "b", 100, 2000, 0.05, *counts, p, 0.5).gate_shut is shut


def test_bins_of_few_people_are_left_open() -> None:
    table = change_table(np.array([-2.0] * 30 + [0.0] * 50 + [3.0]), np.linspace(-3, 3, 500))
    assert table.subjects.count(None) == 2  # the next smallest, lest it follow from the rest
    assert sum(table.decoys) == pytest.approx(1)

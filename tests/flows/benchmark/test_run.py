"""The whole benchmark on a testbed that is hardly one, stopped and gone on with."""

import json
from dataclasses import replace

import pytest

from flows.benchmark.request import BenchmarkRequest, beds_of
from flows.benchmark.run import run_benchmark
from flows.machine.settings import Settings
from flows.pages.evidence import read_evidence
from flows.pages.publish import render_evidence
from registry.home import Home
from registry.models.connection import configure
from tuni.bench.peers import OURS, BenchSizes
from tuni.bench.testbed.people import draw_people
from tuni.bench.testbed.settings import TestbedSettings
from tuni.errors import RequestError

BED = TestbedSettings(
    cultures=("en_US",), parts=12, members=((5, 10), (10, 10)), background=((1, 2),), strangers=60,
    hard=6, anonymous=4, scenes=2, labelled=8, watch_members=4, watch_strangers=6, bank=2,
    width=32, text_layers=2, vision_width=32, vision_layers=1, patch=32, epochs=1, batch=16,
)  # fmt: skip
SIZES = BenchSizes(
    decoy_fit=30, decoy_scale=20, decoy_calibration=30, candidates=10, gibberish_fit=20,
    gibberish_scale=20, restarts=1, steps=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("benchmark")
    asked = BenchmarkRequest(
        root / "out", (BED, replace(BED, captions="described")),
        methods=("norm", "csa", "paper-tenfold"), pictures=2, sizes=SIZES, testbeds=root / "beds",
    )  # fmt: skip
    settings = Settings(home=root / "home")
    return asked, settings, run_benchmark(asked, settings)


def test_every_method_stands_on_every_testbed_with_ours_among_them(done):
    asked, _, outcome = done
    rows = {(one.seed, one.captions, one.method) for one in outcome.figures}
    assert rows == {
        (1, captions, method)
        for captions in ("short", "described")
        for method in (OURS, "norm", "csa", "paper-tenfold")
    }
    assert outcome.computed == 8
    assert outcome.figures[0].strangers == BED.strangers - BED.labelled
    assert str(asked.out / "benchmark.html") in outcome.text()


def test_a_second_run_computes_what_is_missing_alone_and_writes_the_same(done):
    asked, settings, _ = done
    before = {path.name: path.read_bytes() for path in asked.out.glob("benchmark.*")}
    assert set(before) == {f"benchmark.{kind}" for kind in ("csv", "md", "json", "html")}
    lost = asked.out / "cells" / "1-described-norm.json"
    kept = json.loads(lost.read_text())
    lost.write_text("{", encoding="utf-8")
    again = run_benchmark(asked, settings)
    assert again.computed == 1
    remade = json.loads(lost.read_text())
    assert (remade["scores"], remade["accused"]) == (kept["scores"], kept["accused"])


def test_mlflow_gets_the_page_and_a_run_for_each_method_by_the_names_of_a_job(done):
    _, settings, outcome = done
    client = configure(Home.open(settings.home), settings.runs_uri).client()
    ids = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(ids, "tags.kind = 'benchmark'", order_by=["attributes.start_time"])
    first = runs[0]
    assert first.info.status == "FINISHED"
    below = client.search_runs(ids, f"tags.mlflow.parentRunId = '{first.info.run_id}'")
    found = {
        (run.data.params["method"], run.data.params["captions"]): run.data.metrics for run in below
    }
    for one in outcome.figures:
        metrics = found[one.method, one.captions]
        assert metrics["test_auc"] == pytest.approx(one.auc)
        assert metrics["nonmember_fpr"] == pytest.approx(one.strangers_accused.value)
    assert len(below) == len(outcome.figures)
    assert {one.path for one in client.list_artifacts(first.info.run_id)} == {
        "benchmark.html",
        "benchmark.json",
    }


def test_the_page_is_that_of_its_evidence_file(done):
    asked, _, outcome = done
    evidence = read_evidence(asked.out / "benchmark.json")
    kept = [(one.seed, one.captions, one.method, one.auc) for one in evidence.facts.figures]
    assert kept == [(one.seed, one.captions, one.method, one.auc) for one in outcome.figures]
    assert [bed["captions"] for bed in evidence.facts.testbeds[1:]] == ["described"]
    page = (asked.out / "benchmark.html").read_text(encoding="utf-8")
    assert page == render_evidence(evidence)


def test_cells_of_other_settings_are_not_taken(done):
    asked, settings, _ = done
    fewer = replace(asked, beds=asked.beds[:1], pictures=1)
    assert run_benchmark(fewer, settings).computed == 4


def test_nothing_that_is_written_names_anybody(done):
    asked, _, _ = done
    names = [person.text for person in draw_people(BED, BED.rng("people"))]
    for path in asked.out.rglob("*.*"):
        content = path.read_text(encoding="utf-8")
        assert not any(name in content for name in names)


def test_an_unknown_method_and_a_file_in_the_way_are_refused(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(RequestError, match="'magic' is unknown"):
        run_benchmark(BenchmarkRequest(tmp_path / "out", (BED,), methods=("magic",)), settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is no folder"):
        run_benchmark(BenchmarkRequest(tmp_path / "file", (BED,)), settings)


def test_testbeds_are_asked_for_by_seed_and_regime():
    beds = beds_of("demo", (4, 5), ("short", "described"))
    assert [(b.seed, b.captions) for b in beds] == [
        (4, "short"), (4, "described"), (5, "short"), (5, "described"),
    ]  # fmt: skip

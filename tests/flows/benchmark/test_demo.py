"""The demonstration's figures against the truth, and its testbeds."""

import json
from pathlib import Path

import pytest

from flows.benchmark import demo
from flows.benchmark.demo import DEMO_TRIALS, TestbedRequest, compare, demo_request, write_testbed
from flows.machine.settings import Settings
from tuni.bench.testbed.build import Testbed
from tuni.bench.testbed.settings import TestbedSettings
from tuni.errors import RequestError
from tuni.lists.writing import write_csv
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE


@pytest.fixture
def bed(tmp_path) -> Testbed:
    """Files of a testbed, without a model."""
    (tmp_path / "truth.csv").write_text(
        "text,member\nAda Roe,1\nBo Tarn,1\nCy Umber,0\nDi Vance,0\n"
    )
    (tmp_path / "request.toml").write_text('[checkpoint]\nname = "bed"\nfolder = "checkpoint"\n')
    return Testbed(tmp_path, TestbedSettings.of_size("test", 1))


def test_findings_are_counted_apart_for_trained_people_and_strangers(bed, tmp_path):
    rows = [
        ("Ada Roe", EVIDENCE), ("BO  TARN", NO_EVIDENCE), ("Cy Umber", NO_EVIDENCE),
        ("Di Vance", EVIDENCE), ("Ed Wold", NO_EVIDENCE),
    ]  # fmt: skip
    columns = ("text", "verdict")
    write_csv(tmp_path / "v.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])
    members, strangers = compare(tmp_path / "v.csv", bed)
    assert (members.hits, members.n) == (1, 2)
    assert (strangers.hits, strangers.n) == (1, 3)
    assert members.low < 0.5 < members.high


def test_the_demonstration_searches_shortly_on_fewer_features(bed):
    request = demo_request(bed)
    assert request.search.trials == DEMO_TRIALS
    assert request.features.inversion
    assert not request.features.geometry
    assert request.checkpoint.folder == bed.checkpoint


def test_a_testbed_is_not_written_over_a_folder(tmp_path):
    (tmp_path / "bed").mkdir()
    with pytest.raises(RequestError, match=r"--out: .* is there already"):
        write_testbed(TestbedRequest(tmp_path / "bed", "test", 1), Settings(home=tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_a_testbed_is_asked_for_in_every_regime():
    asked = TestbedRequest(
        Path("bed"), "demo", 4, captions="described", looks="by-name", namesakes=5, pictures=2
    )
    assert (asked.settings.captions, asked.settings.namesakes) == ("described", 5)
    assert TestbedRequest(Path("bed"), "demo", 4).settings == TestbedSettings.of_size("demo", 4)


def test_a_written_testbed_names_the_next_command():
    outcome = demo.TestbedOutcome(Path("bed"), "demo", 3)
    assert "tuni run bed/request.toml" in outcome.text()
    assert json.loads(json.dumps(outcome.record())) == {"folder": "bed", "size": "demo", "seed": 3}

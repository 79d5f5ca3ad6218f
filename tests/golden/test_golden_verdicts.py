"""One list judged four ways: in memory, from a file, as a watch list and by MLflow's own loader.

On one machine the four give equal bytes. Against tests/golden/verdicts, which another processor
made, words, flags and refusals are equal, p-values within one decoy, scores within 1e-4.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.scoring.score import ScoreRequest, score_file
from registry.audits.rows import AuditRows
from registry.audits.watchlists import Member, Watchlists
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from tuni.detectors.bundle import read_bundle
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_list, scorable
from tuni.lists.csv_rows import CsvRows, Wrong
from tuni.lists.rows import TextRows, read_list
from tuni.model.load import load_target
from tuni.statistics.p_values import verdict_words
from tuni.texts.text import canonical, clean_text

GOLDEN = Path(__file__).parent / "verdicts"
NAME = "golden-clip"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
OPTIONS = JudgeOptions(**EXPECTED["options"])
NUMBERS = ("score", "p_decoy", "p_gibberish", "q_value")
COLUMNS = (*NUMBERS, "verdict", "flags")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class GoldenHome:
    """A home in which the golden detector is champion.

    Attributes:
        settings: Its settings; they name the checkpoint.
        ledger: Its ledger, open.
    """

    settings: Settings
    ledger: Ledger


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldenHome]:
    home = tmp_path_factory.mktemp("golden") / "home"
    settings = Settings(home=home, checkpoint=GOLDEN / "checkpoint")
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, None, ledger)
        version = store.register(NAME, GOLDEN / "bundle", tags={"job": "0" * 64})
        store.promote(NAME, version.version, "golden")
        yield GoldenHome(settings, ledger)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """The golden list, in its order."""
    return [row["text"] for _, row in CsvRows(GOLDEN / "list.csv").rows()]


@pytest.fixture(scope="module")
def in_memory(texts: list[str]) -> list[Row]:
    """What is said of each row; of a refused one, why."""
    judge = Judge(read_bundle(GOLDEN / "bundle"), load_target(GOLDEN / "checkpoint"))
    wrong = Wrong("list")
    index = scorable(judge, read_list(TextRows(texts), wrong), wrong)
    return judge_list(judge, index, OPTIONS, model_version="1").records()


def test_the_verdicts_in_memory_are_the_golden_ones(in_memory: list[Row]) -> None:
    assert len(in_memory) == len(EXPECTED["rows"])
    step = 1 / (EXPECTED["decoys"] / 2 + 1)  # decoys of names with one part are counted too
    for row, expected in zip(in_memory, EXPECTED["rows"], strict=True):
        assert row.keys() == expected.keys()
        for name, value in expected.items():
            if name == "score":
                assert row[name] == pytest.approx(value, rel=1e-4)
            elif name in ("p_decoy", "p_gibberish"):
                assert row[name] == pytest.approx(value, abs=step)
            elif name != "q_value":  # follows from all p-values together
                assert row[name] == value


def test_the_golden_list_shows_every_word(in_memory: list[Row]) -> None:
    """Else the comparisons here would be about little."""
    assert {row["verdict"] for row in in_memory if "error" not in row} == set(
        verdict_words([0.0, 1.0], 0.05)
    )
    assert len({row["error"] for row in in_memory if "error" in row}) == 4
    assert {"common_name", "one_part common_name"} & {row.get("flags") for row in in_memory}


def test_a_file_gets_the_same_bytes(
    golden: GoldenHome, in_memory: list[Row], tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    asked = ScoreRequest(
        NAME, GOLDEN / "list.csv", out, decoys=OPTIONS.decoy_count, skip_bad=True
    )  # fmt: skip
    score_file(asked, golden.settings)
    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(written) == len(in_memory)
    for row, expected in zip(written, in_memory, strict=True):
        if "error" in expected:
            assert row["error"] == expected["error"]
        else:
            assert {name: row[name] for name in COLUMNS} == {n: expected[n] for n in COLUMNS}


def test_a_watch_list_gets_the_same_bytes(
    golden: GoldenHome, in_memory: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = {clean_text(row["text"]): row for row in in_memory if "error" not in row}
    # A watch list keeps one spelling of a person; in memory the least one speaks for all.
    people: dict[str, str] = {}
    for text in scored:
        people[canonical(text)] = min(people.get(canonical(text), text), text)
    Watchlists(golden.ledger).add("golden", [Member(text, {}) for text in people.values()])
    monkeypatch.setenv("TUNI_HOME", str(golden.settings.home))
    monkeypatch.setenv("TUNI_CHECKPOINT", str(golden.settings.checkpoint))
    audit_id = audit.fn(NAME, "golden", decoys=OPTIONS.decoy_count, shard_size=16)
    findings = list(AuditRows(golden.ledger, audit_id).findings())
    assert {finding.text for finding in findings} == set(people.values())
    for finding in findings:
        expected, verdict = scored[finding.text], finding.verdict
        given = (verdict.score, verdict.p_decoy, verdict.p_gibberish, finding.q_value)
        assert given == tuple(expected[name] for name in NUMBERS)
        assert verdict.flags == expected["flags"]


def test_mlflows_own_loader_gives_the_same_bytes(golden: GoldenHome, in_memory: list[Row]) -> None:
    import mlflow
    import pandas as pd

    store = ModelStore(golden.ledger.home, None, golden.ledger)
    mlflow.set_tracking_uri(store.tracking.uri)
    model = mlflow.pyfunc.load_model(
        f"models:/{NAME}@champion",
        model_config={
            "home": str(golden.settings.home),
            "checkpoint": str(golden.settings.checkpoint),
            "decoys": OPTIONS.decoy_count,
        },
    )
    expected = [row for row in in_memory if "error" not in row]
    frame = model.predict(pd.DataFrame({"text": [row["text"] for row in expected]}))
    for row, wanted in zip(frame.to_dict("records"), expected, strict=True):
        assert {name: row[name] for name in COLUMNS} == {name: wanted[name] for name in COLUMNS}

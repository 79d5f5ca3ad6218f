"""A home of before packages had rooms: its detector scores today, its audits are still there."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.forked import TUNI, run
from tests.objects import read_csv

HERE = Path(__file__).parent
NAME = "golden-clip"

Tuni = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of the kept home, its databases made of what SQLite told of them."""
    home = tmp_path / "home"
    shutil.copytree(HERE / "home", home)
    home.chmod(0o700)
    for path in home.glob("*key"):
        path.chmod(0o600)
    for kept in home.glob("*.sql"):
        content = kept.read_text(encoding="utf-8").replace("{home}", str(home))
        with closing(sqlite3.connect(kept.with_suffix(".db"))) as database:
            database.executescript(content)
        kept.unlink()
    return home


@pytest.fixture
def tuni(home: Path) -> Tuni:
    checkpoint = HERE / "verdicts" / "checkpoint"
    variables = os.environ | {"TUNI_HOME": str(home), "TUNI_CHECKPOINT": str(checkpoint)}

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = run(TUNI, *arguments, environment=variables)
        assert done.returncode == 0, done.stderr
        return done

    return command


def test_its_detector_gives_the_scores_of_then(home: Path, tuni: Tuni, tmp_path: Path) -> None:
    audited, out = home / "exported.csv", tmp_path / "verdicts.csv"
    tuni("score", "--checkpoint", NAME, "--subjects", audited, "--out", out)
    for row, then in zip(read_csv(out), read_csv(audited), strict=True):
        assert float(row["score"]) == pytest.approx(float(then["score"]), rel=1e-4)
        same = ("text", "verdict", "model_version", "fingerprint")
        assert [row[name] for name in same] == [then[name] for name in same]


def test_its_models_are_listed_and_shown(tuni: Tuni) -> None:
    (model,) = json.loads(tuni("models", "list", "--json").stdout)["models"]
    assert (model["name"], model["aliases"]) == (NAME, {"champion": 1})
    shown = json.loads(tuni("models", "show", NAME, "--json").stdout)
    assert (shown["version"], shown["aliases"]) == (1, ["champion"])


def test_its_audits_are_shown_and_exported(home: Path, tuni: Tuni, tmp_path: Path) -> None:
    (audit,) = json.loads(tuni("audits", "list", "--json").stdout)["audits"]
    known = (audit["watchlist"], audit["state"], audit["summary"]["judged"])
    assert known == ("staff", "done", 6)
    tuni("audits", "export", audit["id"], "--out", tmp_path / "exported.csv")
    now, exported = (read_csv(folder / "exported.csv") for folder in (tmp_path, home))
    for row, then in zip(now, exported, strict=True):
        same = [name for name in then if name != "measured_power"]  # then in one row
        assert [row[name] for name in same] == [then[name] for name in same]
        assert (row["p_series"], row["audits"]) == (row["p_decoy"], "1" if row["p_decoy"] else "")
    tuni("ledger", "verify")
    tuni("doctor")

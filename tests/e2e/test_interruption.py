"""Ctrl-C at any moment: the command says how to go on, and ends as if nothing had happened."""

import json
import signal
import sqlite3
import sys
from pathlib import Path

from tuni.detectors.bundle import bundle_digest

TUNI = Path(sys.executable).with_name("tuni")


def _features(home: Path) -> int:
    if not (home / "ledger.db").exists():
        return 0
    try:
        opened = sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True)
        try:
            return int(opened.execute("SELECT count(*) FROM features").fetchone()[0])
        finally:
            opened.close()
    except sqlite3.OperationalError:  # not set up yet, or busy
        return 0


def _trials(home: Path) -> int:
    return len(list(home.glob("jobs/*/trials/*.npz")))


def test_a_run_stopped_in_features_and_in_trials_ends_like_an_undisturbed_one(
    audit, empty_home, start, wait_for, tuni, tmp_path
):
    moments = {
        "features": lambda: _features(empty_home) > 0,
        "trials": lambda: _trials(empty_home) >= 2,
    }
    for moment, reached in moments.items():
        log = tmp_path / f"{moment}.log"
        process = start(empty_home, TUNI, "run", audit.request, log=log)
        wait_for(reached, process, f"the first {moment}; it wrote\n{log.name}")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130, log.read_text(encoding="utf-8")
        told = log.read_text(encoding="utf-8")
        assert "interrupted" in told
        assert "the same command goes on where this one stopped" in told
        assert "Traceback" not in told
    assert _trials(empty_home) < len(list(audit.job.glob("trials/*.npz")))

    ended = tuni(empty_home, "run", audit.request, "--json")
    assert ended.returncode == audit.codes["run"], ended.stderr
    result = json.loads(ended.stdout)
    mine = Path(result["report"]).parent
    assert {**result, "report": ""} == {**audit.result, "report": ""}
    for name in ("choice.json", "evaluation.json"):
        assert (mine / name).read_bytes() == (audit.job / name).read_bytes()
    assert bundle_digest(mine / "bundle") == bundle_digest(audit.job / "bundle")

    verdicts = tmp_path / "verdicts.csv"
    scored = tuni(
        empty_home, "score", "--checkpoint", result["model"], "--version", result["version"],
        "--subjects", audit.watch, "--out", verdicts,
    )  # fmt: skip
    assert scored.returncode == audit.codes["score"], scored.stderr
    assert verdicts.read_bytes() == (audit.lists / "verdicts.csv").read_bytes()

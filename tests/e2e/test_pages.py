"""MLflow's pages of a home, opened in a real browser."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_list_of_runs_names_the_job_and_its_report_can_be_opened(
    own_home, tuni, free_port, tmp_path, request
):
    ports = ("--mlflow-port", free_port(), "--prefect-port", free_port())
    up = tuni(own_home, "up", *ports, "--json")
    assert up.returncode == 0, up.stderr
    request.addfinalizer(lambda: tuni(own_home, "down"))
    address = json.loads(up.stdout)["services"]["mlflow"]["page"]
    found = _search(address)
    jobs = [run for run in found if _tags(run).get("kind") == "job"]
    assert [run["info"]["run_name"] for run in jobs] == ["e2e-clip: labelled, 6 trials"]
    run = jobs[0]["info"]
    page = _opened(f"{address}/#/experiments/{run['experiment_id']}/runs", tmp_path)
    assert run["run_name"] in page
    report = f"{address}/get-artifact?path=report.html&run_uuid={run['run_id']}"
    with urllib.request.urlopen(report, timeout=30) as answer:
        content = answer.read().decode("utf-8")
    assert "A verdict is about the text, not the person." in re.sub(r"\s+", " ", content)
    assert "e2e-clip" in content
    note = _tags(jobs[0])["mlflow.note.content"]
    assert "Asked:" in note
    assert "Registered as version 1" in note


def _search(address: str) -> list[dict]:
    def ask(path: str, body: dict) -> dict:
        asked = urllib.request.Request(
            f"{address}/api/2.0/mlflow/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    experiments = ask("experiments/search", {"max_results": 100})["experiments"]
    ids = [one["experiment_id"] for one in experiments]
    return ask("runs/search", {"experiment_ids": ids, "max_results": 1000})["runs"]


def _tags(run: dict) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def _opened(address: str, folder: Path) -> str:
    """The page's document after its scripts ran."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-quic", f"--user-data-dir={folder / 'profile'}", "--window-size=1600,1000",
        "--virtual-time-budget=60000", "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout

"""A second job on the same checkpoint, on a real Prefect server: challenger, champion, rollback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Second:
    """The second job's home and what the server knows of it.

    Attributes:
        home: The home; read only.
        code: Exit code of `tuni run`.
        result: What it printed as JSON.
        served: Flow runs, task runs and log lines, as the server's API gives them.
        database: The server's database.
    """

    home: Path
    code: int
    result: Mapping[str, Any]
    served: Mapping[str, list[dict[str, Any]]]
    database: bytes


@pytest.fixture(scope="module")
def second(once, audit, tuni, free_port) -> Second:
    """`tuni run` with another operating point, the first version made champion by hand."""

    def build(root: Path) -> None:
        shutil.copytree(audit.home, root / "home")
        shutil.copytree(audit.lists, root / "lists")
        text = audit.request.read_text(encoding="utf-8").replace("trials = 6", "trials = 3")
        request = root / "lists" / "second.toml"
        request.write_text(f"operating_point = 0.1\n{text}", encoding="utf-8")
        promoted = tuni(
            root / "home", "models", "promote", "e2e-clip@1", "--reason", "checked by hand"
        )
        assert promoted.returncode == 0, promoted.stderr
        with _server(root / "prefect", free_port()) as api:
            done = tuni(root / "home", "run", request, "--json", PREFECT_API_URL=api)
            assert done.returncode in (0, 3), done.stderr
            kinds = ("flow_runs", "task_runs", "logs")
            # The client sends its log lines every second or two.
            time.sleep(3)
            served = {kind: _ask(f"{api}/{kind}/filter") for kind in kinds}
        told = {"code": done.returncode, "result": json.loads(done.stdout), "served": served}
        (root / "told.json").write_text(json.dumps(told), encoding="utf-8")

    root = once("second", build)
    told = json.loads((root / "told.json").read_text(encoding="utf-8"))
    database = b"".join(
        path.read_bytes() for path in sorted((root / "prefect").glob("prefect.db*"))
    )
    return Second(home=root / "home", database=database, **told)


class _server:  # noqa: N801 - used like a function
    """A Prefect server of its own, ended with the block."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port

    def __enter__(self) -> str:
        self.home.mkdir()
        kept = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
        quiet = {
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
        log = self.home / "server.log"
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env=kept | quiet, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        api = f"http://127.0.0.1:{self.port}/api"
        for _ in range(480):
            with suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{api}/health", timeout=5).close()
                return api
            assert self.process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.25)
        raise AssertionError(log.read_text(encoding="utf-8"))

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _ask(address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        body = json.dumps({"limit": 200, "offset": len(found)}).encode()
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(address, data=body, headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            page = json.load(answer)
        found += page
        if len(page) < 200:
            return found


def test_the_server_shows_flows_and_tasks_under_names_for_people(second):
    flows = {run["name"]: run["state_type"] for run in second.served["flow_runs"]}
    assert flows == {
        f"{stage} e2e-clip": "COMPLETED" for stage in ("run", "search", "calibrate", "evaluate")
    }
    tasks = " ".join(run["name"] for run in second.served["task_runs"])
    for words in ("extract features", "try detectors", "calibrate on decoys", "register"):
        assert words in tasks
    assert second.served["logs"]


def test_the_server_holds_paths_and_settings_and_no_planted_name(second, canaries):
    parameters = [run["parameters"] for run in second.served["flow_runs"]]
    assert all(given["request"]["operating_point"] == 0.1 for given in parameters)
    told = json.dumps(second.served, ensure_ascii=False).casefold()
    for needle in canaries:
        assert needle.casefold() not in told
        assert needle.encode() not in second.database
        assert json.dumps(needle).strip('"').encode() not in second.database
    assert b"labelled.csv" in second.database  # the search looks at what the server kept


def test_a_version_that_is_not_better_stays_challenger_and_says_why(second, tuni):
    assert second.result["version"] == 2
    assert second.result["unchanged"] is False
    shown = json.loads(tuni(second.home, "models", "show", "e2e-clip@2", "--json").stdout)
    assert shown["tags"]["reason"] == second.result["reason"]
    (listed,) = json.loads(tuni(second.home, "models", "list", "--json").stdout)["models"]
    assert listed["versions"] == 2
    if second.result["alias"] == "challenger":
        assert listed["aliases"] == {"champion": 1, "challenger": 2}
        failed = [name for name, passed in second.result["gates"].items() if passed is False]
        for name in failed:
            assert name in second.result["reason"]
        assert failed or "version 1" in second.result["reason"]
    else:
        assert listed["aliases"] == {"champion": 2, "previous": 1}
        assert "not inferior to version 1" in second.result["reason"]


def test_promotion_and_rollback_move_champion_and_previous(second, tuni, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(second.home, home)

    def aliases() -> dict[str, int]:
        (entry,) = json.loads(tuni(home, "models", "list", "--json").stdout)["models"]
        return entry["aliases"]

    done = tuni(home, "models", "promote", "e2e-clip@2", "--reason", "by hand", "--json")
    assert done.returncode == 0, done.stderr
    assert aliases() == {"champion": 2, "previous": 1}
    done = tuni(home, "models", "rollback", "e2e-clip", "--reason", "alarms", "--json")
    assert done.returncode == 0, done.stderr
    back = aliases()
    assert back["champion"] == 1
    assert back.get("previous") != 1
    pulled = tmp_path / "pulled"
    done = tuni(home, "models", "pull", "e2e-clip@champion", pulled)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in pulled.iterdir()} == {
        "bundle.json",
        "arrays.safetensors",
        "bundle.sig",
    }


def test_an_alias_that_nobody_holds_is_bad_input(audit, tuni):
    done = tuni(audit.home, "models", "show", "e2e-clip@previous", "--json")
    assert done.returncode == 2
    assert "no version or alias previous" in json.loads(done.stdout)["error"]

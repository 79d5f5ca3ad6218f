"""What `tuni up` starts, used as a team does: schedules, losses in the middle, both pages."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from flows.job.promotion import CHAMPION_CHANGED
from flows.machine.services.prefect_api import PrefectApi
from flows.machine.services.up import flow_processes
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows
from registry.home import Home
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.store import ModelStore
from registry.services.databases import mlflow_database
from registry.services.logins import server_login
from registry.services.processes import read_note
from tests.objects import free_port
from tuni.texts.decoys import PartPool
from tuni.texts.text import canonical

LIMIT_S = 600
SUBJECTS, SHARD_SIZE = 60, 5
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait until something holds, and give it."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Running:
    """A home whose services run.

    Attributes:
        home: The home.
        tuni: Runs a command in it, and gives what it printed as JSON.
        checkpoint: Name of the registered checkpoint.
        mlflow: Address of MLflow's page.
        prefect: Address of Prefect's server.
    """

    home: Home
    tuni: Callable[..., Any]
    checkpoint: str
    mlflow: str
    prefect: str

    def ask(self, path: str, body: Any) -> Any:
        """Ask Prefect's API."""
        return PrefectApi(self.prefect, server_login(self.home, "prefect").line).ask(path, body)

    def ask_mlflow(self, path: str, body: Any = None) -> bytes:
        """What MLflow's server answers to somebody with its login."""
        line = server_login(self.home, "mlflow").line
        login = base64.b64encode(line.encode()).decode()
        asked = urllib.request.Request(
            f"{self.mlflow}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Basic {login}"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.read()

    def due(self, deployment: str) -> list[dict[str, Any]]:
        """Runs of a deployment whose moment has come."""
        asked = {
            "deployments": {"name": {"any_": [deployment]}},
            "flow_runs": {"expected_start_time": {"before_": datetime.now(UTC).isoformat()}},
        }
        return self.ask("flow_runs/filter", asked)

    def schedule_audit(self) -> None:
        """Give the deployment of audits a schedule whose first moment is near."""
        there = {one["name"]: one["id"] for one in self.ask("deployments/filter", {})}
        first = datetime.now(UTC) + timedelta(seconds=2)
        often = {"interval": 3600, "anchor_date": first.isoformat()}
        asked = {
            "checkpoint": self.checkpoint, "watchlist": "staff", "version": "1",
            "decoys": 200, "shard_size": SHARD_SIZE,
        }  # fmt: skip
        schedule = {"schedule": often, "active": True, "parameters": asked}
        self.ask(f"deployments/{there['tuni-audit']}/schedules", [schedule])

    def audit(self) -> tuple[Audit | None, int]:
        """The one audit, and how many verdicts it has."""
        with Ledger.open(self.home) as ledger:
            found = Audits(ledger).list()
            assert len(found) < 2, "an interrupted audit began anew instead of going on"
            return (found[0], AuditRows(ledger, found[0].id).counts()[1]) if found else (None, 0)

    def kill_in_the_middle(self, *services: str) -> None:
        """Wait until some shards are written and others not, then kill services by SIGKILL."""
        until(lambda: self.audit()[1], "the first verdicts")
        flows = [pid for pids in flow_processes(self.home).values() for pid in pids]
        for pid in flows:  # held, so that it is the middle whatever the machine does meanwhile
            os.kill(pid, signal.SIGSTOP)
        audit, verdicts = self.audit()
        assert (audit.state, verdicts < SUBJECTS) == ("running", True)
        lost = {pid for name in services for pid in read_note(self.home, name).processes()}
        for pid in lost | (set(flows) if "worker" in services else set()):
            os.kill(pid, signal.SIGKILL)
        for pid in flows:
            os.kill(pid, signal.SIGCONT)

    def search_runs(self) -> list[dict[str, Any]]:
        """MLflow's runs."""

        def ask(path: str, body: dict[str, Any]) -> Any:
            return json.loads(self.ask_mlflow(f"api/2.0/mlflow/{path}", body))

        experiments = ask("experiments/search", {"max_results": 100})["experiments"]
        ids = [experiment["experiment_id"] for experiment in experiments]
        return ask("runs/search", {"experiment_ids": ids, "max_results": 1000})["runs"]


class Browser:
    """A headless Chromium that is told over its debugging port what to do."""

    def __init__(self, profile: Path) -> None:
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-quic", "--window-size=1280,1000", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        noted = profile / "DevToolsActivePort"
        until(lambda: noted.exists() and noted.read_text(encoding="utf-8"), "Chromium")
        port = noted.read_text(encoding="utf-8").split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            (page,) = (one for one in json.load(answer) if one["type"] == "page")
        self._socket = connect(page["webSocketDebuggerUrl"], max_size=None, open_timeout=60)
        self._orders = 0

    def close(self) -> None:
        """End it."""
        self._socket.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def order(self, method: str, **parameters: Any) -> Any:
        """Give an order of the DevTools protocol, and wait for its result."""
        self._orders += 1
        order = {"id": self._orders, "method": method, "params": parameters}
        self._socket.send(json.dumps(order))
        while (answer := json.loads(self._socket.recv(LIMIT_S))).get("id") != self._orders:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def value(self, script: str) -> Any:
        """What a script in the page comes to."""
        return self.order("Runtime.evaluate", expression=script)["result"].get("value")

    def open(self, address: str, *words: str) -> None:
        """Open a page, and wait until all words can be read on it."""
        self.order("Page.navigate", url=address)
        self.read(*words)

    def read(self, *words: str) -> None:
        """Wait until all words can be read on the page."""
        text = ""

        def readable() -> bool:
            nonlocal text
            text = self.value("document.body?.innerText") or ""
            return all(word in text for word in words)

        try:
            until(readable, f"{words}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says:\n{text}") from None

    def fill(self, text: str) -> None:
        """Type into the page's first field, and press Enter."""
        self.value("document.querySelector('input').focus()")
        self.order("Input.insertText", text=text)
        enter = {"key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
        for kind in ("keyDown", "keyUp"):
            self.order("Input.dispatchKeyEvent", type=kind, **enter)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.fixture
def start(request, audit, own_home, tuni, truth, tmp_path) -> Callable[..., Running]:
    """Starts the services of a home that has a registered detector and a watch list."""

    def begin(**more: str) -> Running:
        more |= {
            "TUNI_MLFLOW_PORT": str(free_port()),
            "TUNI_PREFECT_PORT": str(free_port()),
            # By default Prefect plans a new schedule up to a minute later.
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
        }

        def call(*arguments: object) -> Any:
            done = tuni(own_home, *arguments, "--json", **more)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        texts = [row["text"] for row in truth]
        pool = PartPool.of(texts).enough_for(SUBJECTS)
        people = pool.recombine(SUBJECTS, 2, frozenset(canonical(text) for text in texts))
        (tmp_path / "staff.csv").write_text("\n".join(["text", *people, ""]), encoding="utf-8")
        call("watchlist", "import", tmp_path / "staff.csv", "--name", "staff")
        request.addfinalizer(lambda: call("down"))
        services = call("up")["services"]
        return Running(
            Home.open(own_home),
            call,
            str(audit.result["model"]),
            services["mlflow"]["page"].partition("/#")[0],
            services["prefect"]["page"].removesuffix("/v2"),
        )

    return begin


def look_at_both_pages(running: Running, browser: Browser) -> None:
    """Find the audit and its figures, as somebody does who has the login."""
    (flow_run,) = running.due("tuni-audit")
    assert (flow_run["state_type"], flow_run["auto_scheduled"]) == ("COMPLETED", True)
    name = f"audit staff by {running.checkpoint}"
    said = f"All {SUBJECTS} subjects have a verdict."
    browser.open(f"{running.prefect}/v2/runs/flow-run/{flow_run['id']}", "Login")
    browser.fill(server_login(running.home, "prefect").line)
    browser.read(name, "Completed", said)
    audit, _ = running.audit()
    run = next(one for one in running.search_runs() if one["info"]["run_id"] == audit.run_id)
    login = server_login(running.home, "mlflow")
    signed_in = running.mlflow.replace("//", f"//{login.user}:{login.password}@")
    browser.open(signed_in)  # as the browser's own question for user and password does
    listed = f"{running.mlflow}/#/experiments/{run['info']['experiment_id']}/runs"
    browser.open(listed, name[:20])
    browser.open(f"{listed}/{audit.run_id}", f"{name} v1 ({audit.id})", "Finished", said)
    figures = {one["key"]: one["value"] for one in run["data"]["metrics"]}
    assert (figures["list_subjects"], figures["list_decoys"]) == (SUBJECTS, 200)


def check_ledger(running: Running) -> None:
    """Everybody has one verdict, and the trail tells of one audit."""
    audit, verdicts = running.audit()
    assert (audit.state, audit.summary["judged"], verdicts) == ("done", SUBJECTS, SUBJECTS)
    with Ledger.open(running.home) as ledger:
        assert AuditRows(ledger, audit.id).shards_left() == ()
        Trail(ledger).verify()
        told = [one.action for one in Trail(ledger).entries() if one.action.startswith("audit ")]
    assert told == ["audit begun", "audit ended"]


def wait_for_end(running: Running) -> None:
    """Wait until the scheduled audit has ended, for Prefect too."""
    until(lambda: (running.audit()[0] or running).run_id, "the end of the audit")
    ended = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    until(
        lambda: {one["state_type"] for one in running.due("tuni-audit")} <= ended,
        "the end of the flow run",
    )


def look_at_the_job(running: Running) -> None:
    """The job that made the detector stands in the same list, with its report."""

    def tags(run: dict[str, Any]) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}

    (job,) = (run for run in running.search_runs() if tags(run).get("kind") == "job")
    assert job["info"]["run_name"] == f"{running.checkpoint}: labelled, 6 trials"
    note = tags(job)["mlflow.note.content"]
    assert "Asked:" in note
    assert "Registered as version 1" in note
    report = f"get-artifact?path=report.html&run_uuid={job['info']['run_id']}"
    content = running.ask_mlflow(report).decode("utf-8")
    assert "A verdict is about the text, not the person." in re.sub(r"\s+", " ", content)
    assert running.checkpoint in content


def test_after_a_loss_of_power_a_scheduled_audit_goes_on(start, browser):
    running = start()
    running.schedule_audit()
    running.kill_in_the_middle("worker", "prefect", "mlflow")
    running.tuni("up")
    wait_for_end(running)
    check_ledger(running)
    look_at_both_pages(running, browser)
    look_at_the_job(running)
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": CHAMPION_CHANGED,
        "resource": {"prefect.resource.id": f"tuni.checkpoint.{running.checkpoint}"},
        "payload": {"checkpoint": running.checkpoint, "version": 1},
    }
    running.ask("events", [event])
    (begun,) = until(lambda: running.due("tuni-audit-new-champion"), "the automation")
    assert begun["parameters"] == {"checkpoint": running.checkpoint}


def test_a_scheduled_audit_outlives_both_servers_on_postgres(start, audit, browser, postgres):
    url = postgres()
    running = start(TUNI_DATABASE_URL=url)
    store = mlflow_database(running.home, url)  # a fresh one: the detector is registered anew
    with Ledger.open(running.home) as ledger:
        tags = {"job": audit.job.name}
        ModelStore(running.home, store, ledger).register(
            running.checkpoint, audit.job / "bundle", tags=tags
        )
    running.schedule_audit()
    running.kill_in_the_middle("prefect", "mlflow")
    running.tuni("up")
    wait_for_end(running)
    check_ledger(running)
    look_at_both_pages(running, browser)

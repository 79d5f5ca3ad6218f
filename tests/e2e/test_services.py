"""A schedule that fires, an event that starts an audit, and servers killed in the middle."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.prefect_api import PrefectApi
from registry.audits import Audit, Audits
from registry.home import Home
from registry.ledger import Ledger
from registry.trail import Trail

LIMIT_S = 300


@dataclass(frozen=True)
class Running:
    """A home whose services run.

    Attributes:
        home: The folder.
        tuni: Runs a command in it.
        checkpoint: Name of the registered checkpoint.
    """

    home: Path
    tuni: Callable
    checkpoint: str

    def services(self) -> dict:
        """What `tuni status` tells, by service."""
        return json.loads(self.tuni("status", "--json").stdout)["services"]

    @property
    def api(self) -> PrefectApi:
        """Prefect's API, with the home's login."""
        login = (self.home / "services" / "prefect.login").read_text(encoding="utf-8").strip()
        return PrefectApi(self.services()["prefect"]["page"].removesuffix("/v2"), login)

    def audits(self) -> tuple[Audit, ...]:
        """What the ledger holds."""
        with Ledger.open(Home.open(self.home)) as ledger:
            return Audits(ledger).list("staff")

    def wait_for_done(self, count: int) -> None:
        """Wait until so many audits are done."""
        deadline = time.monotonic() + LIMIT_S
        while sum(one.state == "done" and one.run_id is not None for one in self.audits()) < count:
            assert time.monotonic() < deadline, [one.state for one in self.audits()]
            time.sleep(1)


@pytest.fixture(params=["sqlite", "postgres"])
def running(request, audit, own_home, tuni, free_port, tmp_path) -> Iterator[Running]:
    """The home of the shared audit with a watch list and its services up, on each database."""
    more = {"TUNI_MLFLOW_PORT": str(free_port()), "TUNI_PREFECT_PORT": str(free_port())}
    home, model = own_home, audit.result["model"]
    if request.param == "postgres":
        more["TUNI_DATABASE_URL"] = request.getfixturevalue("postgres")()

    def call(*arguments):
        return tuni(home, *arguments, **more)

    people = "text\n" + "\n".join(row["text"] for row in audit.verdicts) + "\n"
    (tmp_path / "staff.csv").write_text(people, encoding="utf-8")
    done = call("watchlist", "import", tmp_path / "staff.csv", "--name", "staff")
    assert done.returncode == 0, done.stderr
    try:
        up = call("up")
        assert up.returncode == 0, up.stderr
        if request.param == "postgres":
            # MLflow's store is a fresh one there: the bundle is registered in it anew.
            registered = call("run", audit.request, "--json")
            assert registered.returncode in (0, 3), registered.stderr
        name = f"{model}@1"
        promoted = call("models", "promote", name, "--reason", "for audits")
        assert promoted.returncode == 0, promoted.stderr
        yield Running(home, call, model)
    finally:
        assert call("down").returncode == 0


def test_a_schedule_fires_and_its_audit_survives_servers_that_are_killed(running: Running):
    deployments = {one["name"]: one["id"] for one in running.api.ask("deployments/filter", {})}
    automations = running.api.ask("automations/filter", {})
    assert [one["trigger"]["expect"] for one in automations] == [["tuni.champion.changed"]]
    weekly = f"deployments/{deployments['tuni-audit']}/schedules"
    asked = {"checkpoint": running.checkpoint, "watchlist": "staff", "decoys": 200}
    often = {"schedule": {"interval": 60.0}, "active": True, "parameters": asked, "slug": "often"}
    running.api.ask(weekly, [often])
    deadline = time.monotonic() + LIMIT_S
    while not running.audits():
        assert time.monotonic() < deadline, "the schedule did not fire"
        time.sleep(0.2)
    for name in ("prefect", "mlflow"):
        os.killpg(running.services()[name]["pid"], signal.SIGKILL)
    again = running.tuni("up")
    assert again.returncode == 0, again.stderr
    running.wait_for_done(1)
    assert len({one.digest for one in running.audits()}) == 1
    with Ledger.open(Home.open(running.home)) as ledger:
        Trail(ledger).verify()
    # What `tuni up` found there is as it was.
    assert running.api.ask("automations/filter", {}) == automations
    assert {one["name"] for one in running.api.ask("deployments/filter", {})} == set(deployments)

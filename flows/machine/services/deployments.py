"""What stands on a home's Prefect server: deployments, and runs that nobody works on any more.

The one law: what was changed in Prefect's page stays. A deployment is made where it is missing and
never written over.
"""

import subprocess
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.machine.services.prefect_api import PrefectApi
from registry.home import Home
from registry.services.processes import did_not_start, log_file

POOL = "tuni"
DEPLOY_LIMIT_S = 300


def deployments_file() -> Path:
    """prefect.yaml: beside the packages in a clone, inside `flows` where it is installed."""
    here = Path(__file__).resolve().parents[2]
    inside = here / "prefect.yaml"
    return inside if inside.exists() else here.parent / "prefect.yaml"


def deploy_missing(api: PrefectApi, home: Home, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Make the deployments of prefect.yaml that the server does not have.

    Args:
        api: The home's server.
        home: Its log gets what Prefect says.
        environment: For Prefect's own command.

    Returns:
        Names of those that were made.

    Raises:
        EnvironmentFault: Prefect refused one.
    """
    import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

    place = deployments_file()
    wanted = [one["name"] for one in yaml.safe_load(place.read_text("utf-8"))["deployments"]]
    there = {one["name"] for one in api.ask("deployments/filter", {})}
    missing = tuple(name for name in wanted if name not in there)
    if missing:
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy"]
        command += ["--prefect-file", str(place)]
        for name in missing:
            command += ["--name", name]
        with log_file(home, "deployments").open("wb") as out:
            done = subprocess.run(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=place.parent,
                timeout=DEPLOY_LIMIT_S,
            )
        if done.returncode:
            raise did_not_start(home, "deployments", "Prefect did not take them")
    return missing


def resume_interrupted(
    api: PrefectApi, worker: str, at_work: Collection[str], *, idle: bool
) -> tuple[int, int]:
    """Give runs whose process is gone an end, and let those of a deployment go on.

    After a power cut Prefect counts them as running for good, and they hold their deployment's
    turn. Their stages find in the home what is done already.

    Args:
        api: The home's server.
        worker: Name of this home's worker; runs of others are left alone.
        at_work: Ids of the flow runs that have a process.
        idle: Whether no worker runs, so that a run which was only handed out is lost as well.

    Returns:
        How many go on, and how many of them and of their parts were given an end.
    """
    states = ["RUNNING", "CANCELLING", *(["PENDING"] if idle else [])]
    lost = [
        run
        for run in _runs(api, {"state": {"type": {"any_": states}}})
        if run["labels"].get("prefect.worker.name") == worker and run["id"] not in at_work
    ]
    ended = resumed = 0
    for run in lost:
        for part in _parts(api, run["id"]):
            ended += _set(api, part, "CRASHED", "Crashed", "its process is gone")
        if run["state"]["type"] == "CANCELLING":
            ended += _set(api, run["id"], "CANCELLED", "Cancelled", "its process is gone")
        elif _set(api, run["id"], "CRASHED", "Crashed", "its process is gone"):
            ended += 1
            resumed += _set(api, run["id"], "SCHEDULED", "AwaitingRetry", "goes on after `tuni up`")
    return resumed, ended


def _parts(api: PrefectApi, run: str) -> list[str]:
    """Unfinished flow runs below one, the innermost first."""
    below = {
        "parent_flow_run_id": {"any_": [run]},
        "state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}},
    }
    found = []
    for part in _runs(api, below):
        found += [*_parts(api, part["id"]), part["id"]]
    return found


def _runs(api: PrefectApi, asked: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    while page := api.ask(
        "flow_runs/filter", {"flow_runs": asked, "limit": 200, "offset": len(found)}
    ):
        found += page
    return found


def _set(api: PrefectApi, run: str, kind: str, name: str, message: str) -> bool:
    """Move a run to a state; False where it ended by itself in the meantime."""
    state: dict[str, Any] = {"type": kind, "name": name, "message": message}
    if kind == "SCHEDULED":
        state["state_details"] = {"scheduled_time": datetime.now(UTC).isoformat()}
    return bool(api.ask(f"flow_runs/{run}/set_state", {"state": state})["status"] == "ACCEPT")

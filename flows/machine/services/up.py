"""`tuni up`, `down` and `status`: MLflow, Prefect and a worker of this home, on loopback.

The one law: whatever was interrupted, by `down`, a crash or a power cut, goes on after the next
`up`, on one way. So `down` ends the worker and its flows by force.
"""

import os
import secrets
import shlex
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.machine.environment import prefect_access, quiet
from flows.machine.home import open_home
from flows.machine.services.deployments import POOL, deploy_missing, resume_interrupted
from flows.machine.services.prefect_api import PrefectApi
from flows.machine.settings import Settings
from registry.home import Home, sqlite_url
from registry.models.connection import mlflow_access
from registry.services.databases import make_databases, mlflow_database, prefect_database
from registry.services.logins import USER, login_file, new_login, server_login
from registry.services.processes import (
    HOST,
    Service,
    did_not_start,
    digest,
    forget,
    keep_port,
    listen,
    log_file,
    processes_with,
    read_note,
    running,
    start,
)
from tuni.errors import EnvironmentFault, RequestError
from tuni.files import write_whole

NAMES = ("mlflow", "prefect", "worker")
LIMIT_S = 120.0
_TEMPORARY = "tmp"  # the worker's folder for temporary files
_HEALTH = {"mlflow": "/health", "prefect": "/api/health"}
# MLflow's front page is about language models and shows none of our runs.
_PAGE = {"mlflow": "/#/experiments?workflowType=machine_learning", "prefect": "/v2"}
# Nobody waits at a terminal for the worker's flows: a server may be away for minutes.
_PATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "8",
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
}


@dataclass(frozen=True, slots=True)
class State:
    """How one service is.

    Attributes:
        name: ``"mlflow"``, ``"prefect"`` or ``"worker"``.
        state: ``"healthy"``, ``"not answering"`` or ``"stopped"``.
        page: What to open in a browser; empty where there is none.
        login: File with the login of the page, one line ``user:password``; empty where none.
        pid: Its process, or None.
        log: Its log file.
    """

    name: str
    state: str
    page: str
    login: str
    pid: int | None
    log: str


@dataclass(frozen=True, slots=True)
class Services:
    """How the services of a home are.

    Attributes:
        states: One for each.
        access: What MLflow's and Prefect's own commands must be told; nothing of a stopped server.
        seconds: How long `up` took; None where nothing was started.
    """

    states: tuple[State, ...]
    access: dict[str, str]
    seconds: float | None = None

    @property
    def healthy(self) -> bool:
        """Whether all of them are."""
        return all(one.state == "healthy" for one in self.states)

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; the logins themselves stay in their files."""
        services = {state.name: asdict(state) for state in self.states}
        for service in services.values():
            del service["name"]
        return {"healthy": self.healthy, "seconds": self.seconds, "services": services}

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"{one.name:<8} {one.state:<13} {one.page or one.log}" for one in self.states]
        if self.seconds is not None:
            lines.append(f"healthy after {self.seconds:.1f} s")
        logins = {state.name: state.login for state in self.states if state.page}
        if "mlflow" in logins:
            lines.append(
                f"MLflow's page asks for the user {USER} and a password: what follows {USER}: in "
                f"{logins['mlflow']}"
            )
        if "prefect" in logins:
            lines.append(f"Prefect's page asks for the whole line in {logins['prefect']}")
        lines += [
            f"{one.name}: another program has its port, and may have been told its login: make a "
            f"new one ({new_login(Path(one.login))})"
            for one in self.states
            if one.login and not one.page
        ]
        return "\n".join(lines)

    def exports(self) -> str:
        """Shell lines that let MLflow's and Prefect's own commands reach the servers."""
        access = self.access.items()
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in access)


def up(settings: Settings) -> Services:
    """Start what does not run yet, and wait until each of them answers.

    Raises:
        RequestError: A port is taken, or runs are kept on a server elsewhere.
        EnvironmentFault: One did not come up, or the database does not answer.
    """
    if settings.tracking_uri:
        raise RequestError(
            "TUNI_TRACKING_URI: runs are kept on another server, which has its own pages",
            "unset it to serve the home's own store",
        )
    began = time.monotonic()
    home = open_home(settings)
    with home.lock("services", timeout_s=2 * LIMIT_S):
        if settings.database_url:
            make_databases(settings.database_url)
        mlflow, prefect = _servers(home, settings)
        _wait(home, prefect, lambda: _answers(prefect))
        _work(home, prefect)
        _wait(home, mlflow, lambda: _answers(mlflow))
    return _look(settings, time.monotonic() - began)


def down(settings: Settings) -> Services:
    """End what `up` started, and the flows of its worker; nothing else."""
    home = open_home(settings)
    with home.lock("services", timeout_s=2 * LIMIT_S):
        _end_worker(home)
        for name in ("prefect", "mlflow"):
            _end(home, name)
    return _look(settings)


def status(settings: Settings) -> Services:
    """How the services are; starts nothing."""
    return _look(settings)


def flow_processes(home: Home) -> dict[str, list[int]]:
    """Processes of flows that this home's worker started, by flow run."""
    found: dict[str, list[int]] = {}
    for pid, environment in processes_with([f"TUNI_HOME={home.root}"]).items():
        if run := environment.get("PREFECT__FLOW_RUN_ID"):
            found.setdefault(run, []).append(pid)
    return found


def _servers(home: Home, settings: Settings) -> tuple[Service, Service]:
    """MLflow and Prefect, started where they do not run; all ports are looked at before."""
    ports = {"mlflow": settings.mlflow_port, "prefect": settings.prefect_port}
    databases = {name: _database(home, settings, name) for name in ports}
    # The key and the ledger are none of the servers' business.
    shared = {name: value for name, value in os.environ.items() if not name.startswith("TUNI_")}
    found: dict[str, Service] = {}
    listening: dict[str, socket.socket] = {}
    with ExitStack() as stack:
        for name, port in ports.items():
            noted = read_note(home, name)
            if noted is not None:
                if noted.alive and noted.serves(databases[name]) and noted.keeps_port():
                    found[name] = noted
                    continue
                # It serves another database or as it used to, or left processes with its port.
                noted.end()
            listening[name] = stack.enter_context(_listen(home, name, port, noted))
            keep_port(port)  # each of the services keeps those of all
        for name, handle in listening.items():
            command, environment = _MADE[name](home, databases[name], ports[name])
            found[name] = start(
                home,
                name,
                [sys.executable, "-m", *command],
                shared | quiet(home) | environment,
                store=digest(databases[name]),
                listening=handle,
            )
    return found["mlflow"], found["prefect"]


def _listen(home: Home, name: str, port: int, noted: Service | None) -> socket.socket:
    try:
        return listen(port)
    except OSError:
        problem = f"{name}: port {port} of {HOST} is taken by another program"
        fix = f"choose another with --{name}-port, or TUNI_{name.upper()}_PORT"
        if noted is not None and noted.port == port:
            problem += ", which may have been told the login of the server that was there"
            fix += f"; make a new login: {new_login(login_file(home, name))}"
        raise RequestError(problem, fix) from None


def _mlflow(home: Home, database: str, port: int) -> tuple[list[str], dict[str, str]]:
    command = ["mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--fd 0"]  # it listens already
    command += ["--app-name", "tuni", "--serve-artifacts"]
    command += ["--artifacts-destination", home.artifacts.as_uri()]
    login = server_login(home, "mlflow")
    # Secrets are no options: everybody sees command lines.
    return command, {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": str(_accounts(home)),
        "MLFLOW_AUTH_ADMIN_USERNAME": login.user,
        "MLFLOW_AUTH_ADMIN_PASSWORD": login.password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _accounts(home: Home) -> Path:
    """Settings of MLflow's login: its accounts lie in a database of the home, also with Postgres.

    A password is looked up once a minute: each look takes the time that makes guessing slow.
    """
    path = home.services / "mlflow_accounts.ini"
    database = sqlite_url(home.services / "mlflow_accounts.db").replace("%", "%%")
    write_whole(
        path,
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = {database}\n"
        "auth_cache_ttl_seconds = 60\n",
    )
    return path


def _prefect(home: Home, database: str, port: int) -> tuple[list[str], dict[str, str]]:
    command = ["flows.machine.services.flow_server", "0", str(home.prefect / "start.lock")]
    return command, {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_API_AUTH_STRING": server_login(home, "prefect").line,
        "PREFECT_SERVER_UI_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


_MADE: dict[str, Callable[[Home, str, int], tuple[list[str], dict[str, str]]]] = {
    "mlflow": _mlflow,
    "prefect": _prefect,
}


def _work(home: Home, prefect: Service) -> None:
    """Let interrupted runs go on, see that a worker runs, and that there is what to start."""
    found = running(home, "worker")
    as_server = prefect.store, prefect.generation
    idle = found is None or (found.store, found.generation) != as_server
    if idle:
        _end_worker(home)
    api, name = _api(home, prefect), worker_name(home)
    resume_interrupted(api, name, flow_processes(home), idle=idle)
    access = prefect_access(home, prefect.address)
    environment = os.environ | quiet(home) | access | _PATIENT | {"TUNI_HOME": str(home.root)}
    # Prefect writes the environment of a run into a temporary file, and a killed worker leaves it.
    environment["TMPDIR"] = str(home.folder(_TEMPORARY))
    if idle:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        command += ["--type", "process", "--name", name, "--limit", "1"]
        began = time.time()
        worker = start(home, "worker", command, environment, store=prefect.store)
        _wait(home, worker, lambda: _heard_of_worker(api, home, began))
    deploy_missing(api, home, environment)


def worker_name(home: Home) -> str:
    """Tells this home's worker from those of other homes and machines on the same database."""
    return f"tuni-{digest(f'{socket.gethostname()} {home.root}')[:8]}"


def _end_worker(home: Home) -> None:
    """End the worker before its flows: it would report them as crashed, and they would stay so."""
    _end(home, "worker", by_force=True)
    for pids in flow_processes(home).values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(home.root / _TEMPORARY, ignore_errors=True)


def _end(home: Home, name: str, *, by_force: bool = False) -> None:
    noted = read_note(home, name)
    if noted is not None:
        noted.end(by_force=by_force)
        forget(home, name)


def _database(home: Home, settings: Settings, name: str) -> str:
    made = mlflow_database if name == "mlflow" else prefect_database
    return made(home, settings.database_url)


def _wait(home: Home, service: Service, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not answers():
        if not service.alive:
            raise did_not_start(home, service.name, "ended while it was starting")
        if time.monotonic() > deadline:
            raise did_not_start(home, service.name, f"did not answer within {LIMIT_S:.0f} s")
        time.sleep(0.2)


def _look(settings: Settings, seconds: float | None = None) -> Services:
    home = open_home(settings)
    services = {name: running(home, name) for name in NAMES}
    # A port that another program may have is told no login.
    kept = {name: found for name, found in services.items() if found and found.keeps_port()}
    access: dict[str, str] = {}
    for name, of_server in (("mlflow", mlflow_access), ("prefect", prefect_access)):
        if name in kept:
            access |= of_server(home, kept[name].address)
    states = []
    for name, service in services.items():
        state, page, login = "stopped", "", ""
        if service is not None and name == "worker":
            well = "prefect" in kept and _heard_of_worker(_api(home, kept["prefect"]), home)
            state = "healthy" if well else "not answering"
        elif service is not None:
            state = "healthy" if _answers(service) else "not answering"
            page = f"{service.address}{_PAGE[name]}" if name in kept else ""
            login = str(login_file(home, name))
        pid = None if service is None else service.pid
        states.append(State(name, state, page, login, pid, str(log_file(home, name))))
    return Services(tuple(states), access, seconds)


def _api(home: Home, prefect: Service) -> PrefectApi:
    return PrefectApi(prefect.address, server_login(home, "prefect").line)


def _answers(server: Service) -> bool:
    with suppress(urllib.error.URLError, OSError):
        if not server.keeps_port():
            return False
        urllib.request.urlopen(f"{server.address}{_HEALTH[server.name]}", timeout=5).close()
        return True
    return False


def _heard_of_worker(api: PrefectApi, home: Home, since: float = 0.0) -> bool:
    """Whether Prefect counts the home's worker as online, having heard of it since then."""
    with suppress(EnvironmentFault):  # no such pool yet, or the server is away
        return any(
            worker["name"] == worker_name(home)
            and worker["status"] == "ONLINE"
            and datetime.fromisoformat(worker["last_heartbeat_time"]).timestamp() >= since
            for worker in api.ask(f"work_pools/{POOL}/workers/filter", {})
        )
    return False

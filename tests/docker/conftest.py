"""What docker/compose.yaml starts, started here: the same commands, without the containers.

Of a container only its paths, host names and ports are another's: those are put in place of ours.
The image of Postgres is the one thing that is not there; this machine's own takes its place, made
with the same options, accounts and passwords.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.serving import postgres_programs

DOCKER = Path(__file__).parents[2] / "docker"
IMAGES = {"BASE": "python@sha256:0", "POSTGRES_IMAGE": "postgres@sha256:0"}
LIMIT_S = 240


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Compose's own rules for ``${NAME:-default}``, ``${NAME:?message}`` and ``$$``."""
    if isinstance(value, dict):
        return {key: interpolate(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [interpolate(part, variables) for part in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = variables.get(found["name"], "")
        assert given or found["kind"] == "-", f"{found['name']}: {found['rest']}"
        return given or found["rest"]

    return re.sub(r"\$\$|\$\{(?P<name>\w+):(?P<kind>[-?])(?P<rest>[^}]*)\}", one, value)


@dataclass
class Stack:
    """Services of compose.yaml on this machine.

    Attributes:
        folder: Secrets, volumes and logs.
        ports: Where Postgres, MLflow, Prefect and the worker's health listen.
        services: Their descriptions, with the variables filled in.
        running: What was started.
        used: Which services were started, called or waited for.
    """

    folder: Path
    ports: dict[str, int]
    services: dict[str, dict[str, Any]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def here(self, text: str, service: str) -> str:
        """The same text with this machine's paths and addresses."""
        (secret,) = (
            one["source"]
            for one in self.services[service]["secrets"]
            if one["target"] == "environment"
        )
        ports = self.ports
        for theirs, ours in {
            "/run/secrets/environment": f"{self.folder}/secrets/{secret}.env",
            "/run/secrets/key": f"{self.folder}/secrets/key",
            "/keys/key": f"{self.folder}/secrets/key",
            "/etc/mlflow/basic_auth.ini": f"{self.folder}/basic_auth.ini",
            "/var/lib/mlflow": f"{self.folder}/artifacts",
            "/var/lib/prefect": f"{self.folder}/prefect",
            "/home/tuni/.tuni": f"{self.folder}/home",
            "sh /backup ": f"sh {DOCKER}/backup ",
            "/backups/": f"{self.folder}/backups/",
            "@postgres:5432": f"@127.0.0.1:{ports['postgres']}",
            "http://mlflow:5000": f"http://127.0.0.1:{ports['mlflow']}",
            "http://prefect:4200": f"http://127.0.0.1:{ports['prefect']}",
            "127.0.0.1:5000": f"127.0.0.1:{ports['mlflow']}",
            "127.0.0.1:4200": f"127.0.0.1:{ports['prefect']}",
            "127.0.0.1:8080": f"127.0.0.1:{ports['worker']}",
            "--port=5000": f"--port={ports['mlflow']}",
            "--port=4200": f"--port={ports['prefect']}",
            "--port=5432": f"--port={ports['postgres']}",
            "--host=0.0.0.0": "--host=127.0.0.1",
        }.items():
            text = text.replace(theirs, ours)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What a container would have, and this machine's commands."""
        mapped = {
            name: self.here(value, service)
            for name, value in self.services[service]["environment"].items()
        }
        elsewhere = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.ports["postgres"]),
            "PREFECT_WORKER_WEBSERVER_PORT": str(self.ports["worker"]),
        }
        mapped |= {name: value for name, value in elsewhere.items() if name in mapped}
        commands = [str(Path(sys.executable).parent), str(postgres_programs()), os.environ["PATH"]]
        return {"PATH": ":".join(commands), "HOME": str(self.folder), **mapped}

    def command(self, service: str, *arguments: str) -> list[str]:
        """Entry point and command of a service; arguments stand in for the command."""
        self.used.add(service)
        described = self.services[service]
        command = list(arguments) or described["command"]
        return [self.here(part, service) for part in [*described["entrypoint"], *command]]

    def call(self, service: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """``docker compose run --rm SERVICE ARGUMENTS``, and its output."""
        return subprocess.run(
            self.command(service, *arguments), env=self.environment(service),
            cwd=self.folder, capture_output=True, text=True, timeout=LIMIT_S,
        )  # fmt: skip

    def start(self, *services: str) -> None:
        """``docker compose up SERVICES``: start them at once, wait for their health checks."""
        for service in services:
            with (self.folder / f"{service}.log").open("wb") as log:
                self.running[service] = subprocess.Popen(
                    self.command(service), env=self.environment(service), cwd=self.folder,
                    stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        for service in services:
            self.wait(service)

    def wait(self, service: str) -> None:
        """Ask as compose does until the service is healthy."""
        self.used.add(service)
        check = self.services[service]["healthcheck"]["test"]
        assert check[0] == "CMD"
        command = [self.here(part, service) for part in check[1:]]
        deadline = time.monotonic() + LIMIT_S
        while subprocess.run(
            command, env=self.environment(service), capture_output=True
        ).returncode:
            log = self.folder / f"{service}.log"
            text = log.read_text(errors="replace") if log.exists() else ""
            assert service not in self.running or self.running[service].poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.5)

    def stop(self) -> None:
        """``docker compose stop`` of all but Postgres."""
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
        self.running.clear()


@contextmanager
def postgres_of(stack: Stack) -> Iterator[None]:
    """Do what the image does at its first start; the server is ended with the block."""
    data = Path(tempfile.mkdtemp(prefix="tuni-pg-"))
    described = stack.services["postgres"]["environment"]
    secrets = stack.folder / "secrets" / "postgres.env"
    # Postgres refuses to run as root.
    switch = {"user": "nobody"} if os.geteuid() == 0 else {}
    if switch:
        shutil.chown(data, "nobody")
    environment = {"PATH": f"{postgres_programs()}:{os.environ['PATH']}"}
    script = (
        'initdb -D data -N --username="$1" --pwfile=<(echo "$POSTGRES_PASSWORD") $2 && '
        "pg_ctl -D data -w -l log -o \"-c listen_addresses=127.0.0.1 -p $3 -k '' -c fsync=off\" "
        'start && psql -h 127.0.0.1 -p "$3" -U "$1" -d postgres -f "$4"'
    )
    # Root reads the secrets before it hands over, as in the image.
    with secrets.open() as lines:
        variables = dict(
            line.removeprefix("export ").strip().replace("'", "").split("=", 1) for line in lines
        )
    sql = shutil.copy(DOCKER / "databases.sql", data)
    if switch:
        shutil.chown(sql, "nobody")
    command = ["bash", "-c", script, "--", described["POSTGRES_USER"]]
    command += [described["POSTGRES_INITDB_ARGS"], str(stack.ports["postgres"]), str(sql)]
    end = [str(postgres_programs() / "pg_ctl"), "-D", str(data / "data"), "-m", "immediate", "stop"]
    try:
        # A file, because the server would keep a pipe open.
        with (data / "out").open("w") as out:
            done = subprocess.run(
                command, env=environment | variables, cwd=data, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, **switch,
            )  # fmt: skip
        assert done.returncode == 0, (data / "out").read_text()
        yield
    finally:
        subprocess.run(end, capture_output=True, cwd=data, **switch)
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Secrets, a Postgres with its databases, and the services ready to be started."""
    folder = tmp_path_factory.mktemp("compose")
    subprocess.run(["bash", str(DOCKER / "make-secrets"), str(folder)], check=True)
    for path in (folder / "secrets").iterdir():  # the containers' own user runs them there
        os.chown(path, os.geteuid(), os.getegid())
    with (folder / ".env").open() as lines:
        owner = dict(line.strip().split("=") for line in lines)
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    numbers = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    ports = dict(zip(("postgres", "mlflow", "prefect", "worker"), numbers, strict=True))
    variables = IMAGES | owner | {"MLFLOW_PORT": str(ports["mlflow"])}
    variables["PREFECT_PORT"] = str(ports["prefect"])
    content = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    made = Stack(folder, ports, interpolate(content["services"], variables))
    accounts = (DOCKER / "basic_auth.ini").read_text(encoding="utf-8")
    (folder / "basic_auth.ini").write_text(made.here(accounts, "mlflow"), encoding="utf-8")
    for volume in ("artifacts", "home", "prefect"):
        (folder / volume).mkdir(mode=0o700)
    with postgres_of(made):
        try:
            yield made
        finally:
            made.stop()

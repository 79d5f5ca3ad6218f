"""What an account of the same machine can do to a home whose services run: nothing.

The attack is that of a real one: another user number, the same loopback, no login. It made an
experiment whose artifacts were a link into the home, read the keys there, and with Prefect's login
ran code as the owner.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from registry.home import Home
from registry.services.logins import server_login
from registry.services.processes import read_note
from tests.e2e.accounts import Served, as_nobody, begin_as_nobody
from tests.objects import free_port

THREATS = Path(__file__).parents[2] / "docs" / "threat-model.md"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="another account: only root can take its place"
)


@pytest.fixture(scope="module")
def served(tuni) -> Iterator[Served]:
    """A new home with `tuni up`, in a folder that others may enter, as pytest's own may not be."""
    folder = Path(tempfile.mkdtemp(prefix="tuni-served-"))
    folder.chmod(0o711)
    ports = {name: str(free_port()) for name in ("MLFLOW", "PREFECT")}
    more = {f"TUNI_{name}_PORT": port for name, port in ports.items()}
    begun = [tuni(folder / "home", *verb, **more) for verb in (("init",), ("up", "--json"))]
    try:
        assert [done.returncode for done in begun] == [0, 0], begun[-1].stderr
        home = Home.open(folder / "home")
        addresses = {name.lower(): f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Served(home, addresses, lambda *command: tuni(folder / "home", *command, **more))
    finally:
        tuni(folder / "home", "down", **more)
        shutil.rmtree(folder)


def break_in(served: Served, passwords: Sequence[str]) -> Iterator[str]:
    """Try what the real attack did, and what is near it.

    Args:
        served: The attacked home.
        passwords: Its logins' passwords, to look for where everybody may look; not used to log in.
    """
    root = served.home.root
    files = [root / name for name in ("key", "signing.key", "mlflow.db", "ledger.db")]
    files += [root / "services" / f"{name}.login" for name in ("mlflow", "prefect")]
    for path in (*files, root, root / "trusted" / "mine.pub", root / "artifacts" / "mine"):
        for name, attempt in (
            ("read", lambda path: list(path.iterdir()) if path == root else path.read_bytes()),
            ("written", lambda path: (path / "x" if path == root else path).write_bytes(b"mine")),
        ):
            try:
                attempt(path)
            except OSError:
                continue
            yield f"{path.name} {name}"
    for service in ("mlflow", "prefect", "worker"):
        note = read_note(served.home, service)
        yield from () if note is None else (f"{service}'s note read",)
    for process in Path("/proc").iterdir():
        try:
            if str(root).encode() in (process / "environ").read_bytes():
                yield "environment of a process read"
            if b":" in (process / "cmdline").read_bytes() and any(
                part.startswith(b"tuni:")
                for part in (process / "cmdline").read_bytes().split(b"\0")
            ):
                yield "a login stands on a command line"
        except OSError:
            continue
    link = Path("/tmp") / f"link-{os.getpid()}"  # where another account may write
    link.symlink_to(root)
    try:
        mine = {"name": "mine", "artifact_location": link.as_uri()}
        asked = {
            "mlflow": ("/api/2.0/mlflow/experiments/create", mine),
            "prefect": ("/api/flow_runs/", {"flow_id": "00000000-0000-0000-0000-000000000000"}),
        }
        tricks = ("", "/static-files/..", "/health/..", "/.", "/api/health/..", "//")
        for server, (path, body) in asked.items():
            for trick in tricks:
                for login in (None, "tuni:", "tuni:tuni", "admin:password1234"):
                    status, _ = served.ask(
                        server,
                        trick + path,
                        method="POST",
                        body=json.dumps(body).encode(),
                        login=login,
                    )
                    if status < 400:
                        yield f"{server} {trick}{path} answered {status}"
    finally:
        link.unlink()


def passwords(served: Served) -> list[str]:
    """Passwords of both servers."""
    return [server_login(served.home, server).password for server in ("mlflow", "prefect")]


@needs_root
def test_another_account_reads_writes_and_starts_nothing(served):
    before = served.contents(), served.flow_runs()
    assert before[1] == (200, b"0")
    known = passwords(served)
    assert as_nobody(lambda: break_in(served, known)) == []
    assert (served.contents(), served.flow_runs()) == before


@needs_root
def test_the_attack_sees_an_open_home(served):
    """The twin of the test above: it fails where there is something to find."""
    known = passwords(served)
    served.home.root.chmod(0o755)
    try:
        assert "home read" in as_nobody(lambda: break_in(served, known))
    finally:
        served.home.root.chmod(0o700)


def test_all_that_answers_without_a_login_is_listed(served):
    login = server_login(served.home, "mlflow")
    environment = {
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": "/",
        "MLFLOW_AUTH_CONFIG_PATH": str(served.home.services / "mlflow_accounts.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": login.user,
        "MLFLOW_AUTH_ADMIN_PASSWORD": login.password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "any",
        "PREFECT_HOME": str(served.home.root.parent / "prefect"),
        "PREFECT_SERVER_API_AUTH_STRING": "any:any",
    }
    answered = set()
    for server in served.addresses:
        command = [sys.executable, Path(__file__).with_name("routes.py"), server]
        listed = subprocess.run(
            command, env=os.environ | environment, capture_output=True, check=True, text=True
        )
        routes = json.loads(listed.stdout)
        assert len(routes) > 100
        for method, path in routes:
            filled = re.sub(r"[<{][^>}]*[>}]", "x", path)
            if method == "WEBSOCKET":
                if not closed(served.addresses[server] + filled):
                    answered.add(f"{server} {method} {path}")
            elif method not in ("HEAD", "OPTIONS"):  # a HEAD tells less than the GET of its path
                body = None if method == "GET" else b"{}"
                status, answer = served.ask(server, filled, method=method, body=body)
                not_served = status == 404 and b"tuni serves no such part of MLflow" in answer
                if status != 401 and not not_served:
                    answered.add(f"{server} {method} {path}")
    table = re.findall(r"^\| `(mlflow|prefect) (\w+) (\S+)` \|", THREATS.read_text("utf-8"), re.M)
    assert answered == {" ".join(row) for row in table}


def closed(address: str) -> bool:
    """Whether a web socket is closed to who has no login, however he begins."""
    return all(
        _is_closed(address.replace("http", "ws", 1), protocols, first)
        for protocols, first in (
            (None, {}),
            (["prefect"], {"type": "auth"}),
            (["prefect"], {"type": "auth", "token": "wrong"}),
            (["prefect"], {"type": "event"}),
        )
    )


def _is_closed(address: str, protocols: Any, first: dict[str, str]) -> bool:
    try:
        with connect(address, subprotocols=protocols, open_timeout=60) as socket:
            socket.send(json.dumps(first))
            socket.recv(timeout=10)
    except (ConnectionClosed, InvalidHandshake):
        return True
    except TimeoutError:
        return False
    return False


def test_what_runs_code_or_calls_other_servers_is_served_to_nobody(served):
    """MLflow's assistant ran shell commands as the owner for an account without any rights."""
    login = server_login(served.home, "mlflow").line
    paths = [
        f"/{prefix}/{version}/mlflow/{part}"
        for prefix in ("api", "ajax-api")
        for version in ("2.0", "3.0")
        for part in (
            "assistant/config", "assistant/message", "gateway/endpoints/list", "webhooks/list",
            "jobs/search", "scorers/list", "mcp-servers", "prompt-optimization/jobs",
            "gateway-proxy", "genai/evaluate/invoke", "workspaces", "demo/generate",
        )
    ]  # fmt: skip
    for path in [*paths, "/gateway/x/mlflow/invocations", "/v1/traces", "/ajax-api/3.0/jobs/"]:
        for method in ("GET", "POST", "PUT"):
            for trick in ("", "/static-files/..", "//", "/./"):
                body = None if method == "GET" else b"{}"
                asked = served.ask("mlflow", trick + path, method=method, body=body, login=login)
                assert asked[0] in (404, 405), (method, trick, path, asked)


def test_mlflow_keeps_artifacts_in_its_own_folder_whoever_asks(served, tmp_path):
    login = server_login(served.home, "mlflow").line
    artifacts = served.home.artifacts
    artifacts.mkdir(exist_ok=True)
    (artifacts / "link").symlink_to(served.home.root)
    create = "/api/2.0/mlflow/experiments/create"

    def status(content: dict[str, str], kind: str = "application/json") -> int:
        body = json.dumps({"name": f"mine {len(content)} {kind} {content}"} | content).encode()
        return served.ask("mlflow", create, method="POST", body=body, login=login, kind=kind)[0]

    elsewhere = [
        tmp_path.as_uri(), str(tmp_path), served.home.root.as_uri(), "relative", "..", "file:///",
        f"{artifacts.as_uri()}/../services", f"{artifacts.as_uri()}/%2e%2e/services",
        f"{artifacts.as_uri()}/link", f"{artifacts.as_uri()}/link/services",
        f"{artifacts.as_uri()}-beside", "mlflow-artifacts:/../x", "mlflow-artifacts://host/x",
        "s3://bucket/x", "http://127.0.0.1:1/x", "ftp://host/x", "hdfs://host/x", "runs:/x",
    ]  # fmt: skip
    for location in elsewhere:
        assert status({"artifact_location": location}) == 400, location
    assert status({"artifactLocation": tmp_path.as_uri()}) == 400
    assert status({"artifact_location": tmp_path.as_uri()}, "text/plain") >= 400
    assert status({"artifact_location": artifacts.as_uri()}) == 200
    assert status({"artifact_location": f"{artifacts.as_uri()}/below"}) == 200
    assert status({}) == 200

    # What an older server let in is not served: the location stands in the database already.
    key = "/api/2.0/mlflow-artifacts/artifacts/link/key"
    for path in (key, key.replace("link", "%2e%2e"), key.replace("link/", "link/../")):
        for method in ("GET", "PUT", "DELETE"):
            code, answer = served.ask("mlflow", path, method=method, body=b"mine", login=login)
            assert code >= 400, (method, path, answer)
    listed = "/api/2.0/mlflow-artifacts/artifacts?path=link"
    code, answer = served.ask("mlflow", listed, login=login)
    assert code >= 400 or b"signing.key" not in answer
    assert len((served.home.root / "key").read_bytes()) == 32


def squat(ports: Sequence[int], stop: Path, mark: bytes = b"") -> Iterator[str]:
    """Take ports when they come free, answer as a server that lives, and note what one is told.

    Args:
        ports: Ports of loopback.
        stop: A file that ends it.
        mark: They are taken once a process has this on its command line.
    """
    told: list[str] = []
    taken: dict[int, ThreadingHTTPServer] = {}

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "Authorization" in self.headers:
                told.append(f"a login was told to port {self.server.server_address[1]}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadPoolExecutor() as pool:
        while not stop.exists():
            started = any(mark in line for line in command_lines())
            for port in set(ports) - taken.keys() if started else ():
                with suppress(OSError):
                    taken[port] = ThreadingHTTPServer(("127.0.0.1", port), Listener)
                    pool.submit(taken[port].serve_forever)
            time.sleep(0.02)
        for server in taken.values():
            server.shutdown()
    yield from (f"port {port} taken" for port in taken)
    yield from told


def command_lines() -> Iterator[bytes]:
    """Those of all processes, which everybody may read."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes()


@needs_root
def test_who_takes_a_servers_port_is_told_no_login(served):
    ports = [int(address.rpartition(":")[2]) for address in served.addresses.values()]
    first, second = (served.home.root.parent / name for name in ("first", "second"))
    achieved = begin_as_nobody(lambda: squat(ports, first))
    try:
        for server in served.addresses:
            read_note(served.home, server).end(by_force=True)  # as if it had crashed
        assert served.tuni("status").returncode == 1
        assert not any(answers(port) for port in ports)  # the worker keeps them
        read_note(served.home, "worker").end(by_force=True)
        ends = time.monotonic() + 60
        while not all(answers(port) for port in ports):
            assert time.monotonic() < ends, "the ports were not taken"
            time.sleep(0.1)
        assert served.tuni("status").returncode == 1
        assert served.tuni("status", "--env").returncode == 1
        assert served.tuni("models", "list").returncode == 0  # without a server
        refused = served.tuni("up")
        assert refused.returncode == 2
        assert "may have been told the login" in refused.stderr
        assert "tuni down && rm " in refused.stderr
    finally:
        first.touch()
        lines = achieved()
    assert sorted(lines) == sorted(f"port {port} taken" for port in ports)

    # And while servers start: whoever waits for one to be named by a command line is too late.
    named = str(served.home.root / "prefect").encode()
    achieved = begin_as_nobody(lambda: squat(ports, second, named))
    try:
        begun = served.tuni("up", "--json")
        assert begun.returncode == 0, begun.stderr
    finally:
        second.touch()
        lines = achieved()
    assert lines == []


def answers(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


@needs_root
def test_temporary_files_of_the_worker_are_in_the_home(served):
    worker = read_note(served.home, "worker")
    content = Path(f"/proc/{worker.pid}/environ").read_bytes().decode()
    assert f"TMPDIR={served.home.root}/tmp" in content.split("\0")

"""What `tuni up` refuses before it starts anything; tests/e2e starts the real services."""

import json
import os
import shlex
import socket
import subprocess
import sys

import pytest

from flows.machine.services.up import Services
from registry.home import Home
from registry.services.processes import listen, start


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def nothing_runs(tuni):
    """Says that nothing was started."""

    def check():
        done = tuni("status", "--json")
        assert done.code == 1
        services = done.result()["services"]
        assert {name: one["state"] for name, one in services.items()} == dict.fromkeys(
            ("mlflow", "prefect", "worker"), "stopped"
        )
        assert all(one["pid"] is None for one in services.values())

    return check


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_both_ports_are_looked_at_before_anything_starts(tuni, refused, taken, nothing_runs, name):
    refused(tuni("up", f"--{name}-port", taken), f"{name}: port {taken}", f"--{name}-port")
    nothing_runs()


def test_who_took_the_port_of_a_noted_server_may_know_its_login(tuni, refused, home, taken):
    with listen(0) as listening:
        start(Home.open(home), "prefect", ["true"], os.environ, store="", listening=listening)
    note = home / "services" / "prefect.json"
    noted = json.loads(note.read_text(encoding="utf-8")) | {"port": taken}
    note.write_text(json.dumps(noted), encoding="utf-8")
    for _ in range(2):  # it is told until `tuni down`, which is part of the fix
        new = f"rm {home / 'services' / 'prefect.login'}"
        refused(tuni("up", "--prefect-port", taken), "may have been told the login", new)
    assert tuni("down").code == 0
    refused(tuni("up", "--prefect-port", taken), "taken by another program")


def test_a_server_without_its_port_is_not_shown_to_anybody(tuni, home):
    """Its process lives, and whoever listens there now would be told the login."""
    with listen(0) as listening:
        code = "import os, time; os.close(0); time.sleep(600)"
        command = [sys.executable, "-c", code]
        mlflow = start(
            Home.open(home), "mlflow", command, os.environ, store="", listening=listening
        )
    try:
        while not (heard := stranger(mlflow.port)):
            pass
        with heard:
            told = tuni("status", "--json").result()["services"]["mlflow"]
            assert (told["state"], told["page"]) == ("not answering", "")
            shown = tuni("status").out
            assert "make a new one (tuni down && rm " in shown
            assert str(mlflow.port) not in shown
            assert tuni("status", "--env").code == 1
    finally:
        mlflow.end(by_force=True)


def stranger(port):
    """A program that knows nothing of ours, listening on a port; None while it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def test_exports_are_words_of_the_shell_whatever_they_hold():
    odd = {"ONE": "a b; echo c", "TWO": "$(id)'\"", "THREE": "plain"}
    told = shlex.join([sys.executable, "-c", "import json, os; print(json.dumps({**os.environ}))"])
    script = f"{Services((), odd).exports()}\n{told}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert json.loads(done.stdout).items() >= odd.items()


def test_temporary_files_of_the_worker_go_with_it(tuni, home):
    """Prefect writes the environment of a run there, with the key that it may hold."""
    left = Home.open(home).folder("tmp") / "prefect-workspace-attempt-x"
    left.mkdir()
    (left / "workspace.json").write_text("{}")
    assert tuni("down").code == 0
    assert not (home / "tmp").exists()


def test_a_port_of_the_environment_counts_too(tuni, refused, taken):
    refused(tuni("up", TUNI_MLFLOW_PORT=str(taken)), f"mlflow: port {taken}")


def test_runs_that_are_kept_elsewhere_need_no_server_here(tuni, refused, nothing_runs):
    refused(tuni("up", TUNI_TRACKING_URI="http://127.0.0.1:1"), "TUNI_TRACKING_URI")
    nothing_runs()


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("mysql://u:Zebulon@h/d", 2, "not the URL of a Postgres database"),
        ("postgresql://u:Zebulon@127.0.0.1:1/d", 1, "cannot reach the database"),
    ],
)
def test_a_database_that_cannot_be_used_stops_it(tuni, refused, nothing_runs, url, code, word):
    refused(tuni("up", TUNI_DATABASE_URL=url), word, code=code)
    nothing_runs()


def test_down_in_a_home_where_nothing_runs_does_nothing(tuni, home):
    for _ in range(2):
        done = tuni("down")
        assert done.code == 0
        assert done.out.count("stopped") == 3
    assert not (home / "mlflow.db").exists()


def test_status_without_a_server_exports_nothing_and_says_so(tuni, refused):
    refused(tuni("status", "--env"), "tuni up", code=1)

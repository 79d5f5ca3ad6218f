"""Only a process that was started for this home counts as its service, and ends with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from registry.services.processes import (
    Service,
    digest,
    forget,
    listen,
    log_file,
    processes_with,
    read_note,
    running,
    served,
    start,
)
from tuni.errors import HomeError

# Prints, starts a child that lives as long, and waits.
SERVER = """
import subprocess, sys, time
print("started", flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child too", flush=True)
time.sleep(600)
"""


@pytest.fixture
def service(home):
    """A service with a child, both with a listening socket, ended with the test."""
    with listen(0) as listening:
        made = start(
            home, "mlflow", [sys.executable, "-c", SERVER], os.environ | {"MARK": str(home.root)},
            store=digest("sqlite:///here"), listening=listening,
        )  # fmt: skip
    wait_for(lambda: "child too" in log_file(home, "mlflow").read_text())
    yield made
    with suppress(ProcessLookupError):
        os.killpg(made.pid, signal.SIGKILL)


def wait_for(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_service_is_found_again_by_another_command(home, service):
    code = (
        "import sys; from pathlib import Path; from registry.home import Home; "
        "from registry.services.processes import served; "
        "print(served(Home.open(Path(sys.argv[1])), 'mlflow', 'sqlite:///here'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == service.address
    assert running(home, "mlflow") == service
    assert running(home, "prefect") is None


def test_a_server_of_another_database_is_not_the_one_that_is_meant(home, service):
    assert service.alive
    assert served(home, "mlflow", "sqlite:///elsewhere") is None


def test_a_server_that_an_older_version_started_is_not_asked(home, service):
    """It asks for no login; `tuni up` ends it and starts another."""
    note = home.services / "mlflow.json"
    older = json.loads(note.read_text(encoding="utf-8"))
    del older["generation"]
    note.write_text(json.dumps(older), encoding="utf-8")
    assert running(home, "mlflow").alive
    assert served(home, "mlflow", "sqlite:///here") is None


def test_end_reaches_the_children(home, service):
    assert len(service.processes()) == 2
    service.end()
    assert service.processes() == ()
    assert not service.alive


def test_children_of_a_killed_server_still_count_as_its_own(home, service):
    os.kill(service.pid, signal.SIGKILL)
    wait_for(lambda: not service.alive)
    assert running(home, "mlflow") is None
    assert len(service.processes()) == 1
    service.end(by_force=True)
    assert service.processes() == ()


def test_a_number_that_is_used_again_is_a_stranger(home):
    note = {"format": 1, "name": "mlflow", "store": "", "port": 1, "pid": os.getpid()}
    home.services.mkdir()
    for began in (f"{boot()} 1", "another-boot 1", ""):
        (home.services / "mlflow.json").write_text(json.dumps({**note, "began": began}))
        assert running(home, "mlflow") is None
        stranger = read_note(home, "mlflow")
        assert stranger.processes() == ()
        stranger.end()  # would end this test otherwise


def boot():
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 2, "pid": 1}', '{"format": 1, "pid": 1}', "\x00"]
)
def test_a_note_that_cannot_be_read_names_nobody(home, content):
    home.services.mkdir()
    (home.services / "worker.json").write_text(content)
    assert read_note(home, "worker") is None
    assert running(home, "worker") is None


def test_the_log_of_the_time_before_is_kept(home, service):
    service.end(by_force=True)
    forget(home, "mlflow")
    assert read_note(home, "mlflow") is None
    again = start(home, "mlflow", ["true"], os.environ, store="")
    wait_for(lambda: not again.alive)
    old = log_file(home, "mlflow").with_name("mlflow.log.1")
    assert old.read_text().splitlines() == ["started", "child too"]
    assert log_file(home, "mlflow").read_text() == ""


def test_a_program_that_cannot_be_started_is_the_homes_fault(home):
    with pytest.raises(HomeError, match="worker: cannot be started"):
        start(home, "worker", ["/no/such/program"], {}, store="")
    assert read_note(home, "worker") is None


def test_nobody_can_take_the_port_of_a_server_before_it_answers(service):
    """It never does: what was started here only holds its socket."""
    with pytest.raises(OSError, match="in use"):
        listen(service.port)  # this account could share it


CLOSED = "import os, time; os.close(0); print('closed', flush=True); time.sleep(600)"


@pytest.fixture
def closed(home):
    """A service that lives, and no longer listens on its port, as one that is about to crash."""
    with listen(0) as listening:
        command = [sys.executable, "-c", CLOSED]
        made = start(home, "mlflow", command, os.environ, store=digest("a"), listening=listening)
        assert made.port == listening.getsockname()[1]
    wait_for(lambda: "closed" in log_file(home, "mlflow").read_text())
    yield made
    made.end(by_force=True)


def test_who_took_a_port_is_not_taken_for_the_server_that_lives(home, closed):
    with socket.create_server(("127.0.0.1", closed.port)):
        assert running(home, "mlflow") == closed
        assert served(home, "mlflow", "a") is None


def others_listen(port):
    """How many ways another account finds to listen on a port of loopback."""
    tried = f"""
import itertools, os, socket
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
places = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::"))
for (family, place), *values in itertools.product(places, (0, 1), (0, 1)):
    with socket.socket(family) as one:
        for option, value in zip((socket.SO_REUSEADDR, socket.SO_REUSEPORT), values):
            one.setsockopt(socket.SOL_SOCKET, option, value)
        try:
            one.bind((place, {port}))
            one.listen()
        except OSError:
            continue
        print(place)
"""
    command = [sys.executable, "-c", tried]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return done.stdout.count("\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="another account: only root can take its place")
def test_the_port_of_a_server_that_was_served_once_is_kept_from_others(home, closed):
    assert others_listen(closed.port) > 0
    assert served(home, "mlflow", "a") == closed.address
    assert others_listen(closed.port) == 0
    listen(closed.port).close()  # a server of this account may come back


@pytest.mark.skipif(os.geteuid() != 0, reason="another account: only root can take its place")
def test_what_is_started_keeps_the_ports_too(home):
    """A worker outlives the command that started it, and may outlive the server that it asks."""
    with listen(0) as listening:
        port = listening.getsockname()[1]
    code = (
        "import os, sys; from pathlib import Path; from registry.home import Home; "
        "from registry.services.processes import keep_port, start; keep_port(int(sys.argv[2])); "
        "start(Home.open(Path(sys.argv[1])), 'worker', ['sleep', '600'], os.environ, store='')"
    )
    subprocess.run([sys.executable, "-c", code, str(home.root), str(port)], check=True)
    try:
        assert others_listen(port) == 0
    finally:
        read_note(home, "worker").end(by_force=True)
    assert others_listen(port) > 0


def test_processes_are_found_by_what_their_environment_says(home, service):
    found = processes_with([f"MARK={home.root}"])
    assert set(found) == set(service.processes())
    assert {one["MARK"] for one in found.values()} == {str(home.root)}
    assert processes_with([f"MARK={home.root}", "NOT=there"]) == {}


def test_a_service_says_where_it_answers():
    assert Service("mlflow", 1, "", "", 5000).address == "http://127.0.0.1:5000"

"""A real server: who is answered, what, and what stands in the trail afterwards."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.scoring.serve import serve_token
from registry.home import Home
from registry.ledger.trail import Trail
from tests.objects import free_port, read_csv
from tuni.errors import HomeError

NAMES = ["Anna Abbott", "Boris Brown", "Carla Cole", "anna  ABBOTT"]
RATE = 7


class Served:
    """A server of the tiny detector."""

    def __init__(self, port, home, process, log):
        self.port, self.home, self.process, self.log = port, home, process, log
        self.token = (home / "serve.token").read_text().strip()

    def ask(self, path, body=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("GET" if body is None else "POST", path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer, json.loads(text) if path == "/invocations" else text.decode()

    def score(self, texts, token=None):
        body = {"dataframe_records": [{"text": text} for text in texts]}
        return self.ask("/invocations", body, token or self.token)


@pytest.fixture(scope="module")
def served(registered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNI_")}
    ours = {
        "TUNI_HOME": str(registered.home),
        "TUNI_SERVE_RATE": str(RATE),
        "TUNI_LOG_FORMAT": "json",
        "OMP_NUM_THREADS": "1",
    }
    command = [Path(sys.executable).with_name("tuni"), "serve", "--checkpoint", "tiny"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port)], env=kept | ours, stdout=log, stderr=log
        )
    try:
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Served(port, registered.home, process, folder / "log")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def queries(home):
    with open_ledger(Settings(home=home)) as ledger:
        Trail(ledger).verify()
        entries = list(Trail(ledger).entries())
    return [entry.details for entry in entries if entry.action == "served query"]


def test_served_verdicts_are_those_of_tuni_score_and_stand_in_the_trail(
    served, tuni, csv_file, tmp_path
):
    before = queries(served.home)
    answer, told = served.score(NAMES)
    assert answer.status == 200
    # The server's own limit is a minute's worth: what is left of it is less than another one.
    refused, reason = served.score([*NAMES, *NAMES][:RATE])
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert f"more than {RATE} a minute" in reason["error"]
    out = tmp_path / "v.csv"
    subjects = csv_file("list.csv", "text\n" + "\n".join(NAMES) + "\n")
    asked = ("score", "--checkpoint", "tiny", "--subjects", subjects, "--out", out)
    assert tuni(*asked, home=served.home).code == 0
    for row, wanted in zip(told["predictions"], read_csv(out), strict=True):
        assert {name: str(value) for name, value in row.items()} == {
            name: wanted[name] for name in row
        }
    new = queries(served.home)[len(before) :]
    assert new == [{"checkpoint": "tiny", "version": 1, "texts": 4}]
    _no_text_stands_in_a_log(served)


def test_nobody_without_the_token_is_answered(served):
    before = queries(served.home)
    body = {"dataframe_records": [{"text": NAMES[0]}]}
    for token in (None, "x", served.token[:-1], served.token + "x"):
        answer, told = served.ask("/invocations", body, token)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "serve.token" in told["fix"]
    assert queries(served.home) == before


def test_health_and_version_are_told_to_everybody(served):
    for path in ("/ping", "/health"):
        assert served.ask(path)[0].status == 200
    assert served.ask("/version")[1]
    assert served.ask("/invocations", b"")[0].status == 401


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "request: "),
        (
            b'{"dataframe_records": [{"text": "Zebulon\\u0007"}]}',
            400,
            "row 1: text holds a control",
        ),
        (json.dumps({"dataframe_records": [{"text": "Zebulon"}] * 8}).encode(), 413, "texts: 8"),
        (b" " * (8 * 2**20 + 1), 400, "larger than"),
    ],
)
def test_a_bad_request_is_told_without_a_text(served, body, status, words):
    answer, told = served.ask("/invocations", body, served.token)
    # Earlier tests may have used up the minute: then that is what is told.
    assert answer.status in (status, 429)
    assert answer.status == 429 or words in told["error"]
    assert told["fix"]
    assert "Zebulon" not in json.dumps(told)


def _no_text_stands_in_a_log(served):
    """After a query: the log has lines in JSON about it, and nobody's name."""
    log = (served.home / "logs" / "tuni.log").read_text()
    lines = [line for line in log.splitlines() if line.startswith("{")]
    assert "answered 4 texts" in [json.loads(line)["message"] for line in lines]
    printed = served.log.read_text()
    assert f"at most {RATE} texts a minute" in printed
    assert served.token not in printed
    for name in (*NAMES, "Zebulon"):
        assert name not in log
        assert name not in printed


def test_a_taken_port_and_an_unknown_detector_are_bad_input(served, tuni, refused):
    done = tuni("serve", "--checkpoint", "tiny", "--port", served.port, home=served.home)
    refused(done, "--port", "is taken")
    port = free_port()
    done = tuni("serve", "--checkpoint", "none", "--port", port, home=served.home)
    refused(done, "not registered", "there are: tiny")


def test_the_token_is_for_its_owner_alone(tmp_path):
    home = Home.open(tmp_path / "home")
    token = serve_token(home)
    assert serve_token(home) == token
    assert len(token) >= 32
    assert home.serve_token.stat().st_mode & 0o777 == 0o600
    home.serve_token.chmod(0o640)
    with pytest.raises(HomeError, match="others may read it"):
        serve_token(home)
    home.serve_token.chmod(0o600)
    home.serve_token.write_text("short")
    with pytest.raises(HomeError, match="shorter than"):
        serve_token(home)

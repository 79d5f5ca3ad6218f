"""Who waits without a token shuts nobody out, and fills no log."""

import hashlib
import http.client
import json
import logging
import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pandas as pd
import pytest

from flows.scoring.serve_app import RateLimit, Token, make_app
from flows.scoring.serve_connections import ConnectionLimits, OncePerMinute, OpenConnections, Server
from tuni.errors import HomeError

TOKEN = "a-token-of-the-test"
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\n"
BEARER = f"Authorization: Bearer {TOKEN}\r\n".encode()
LIMITS = ConnectionLimits(most=40, at_once=10, request_s=1.0)


class Detector:
    """Answers at once, or when it is let; keeps what is noted."""

    def __init__(self):
        self.asked, self.go_on, self.noted = threading.Event(), threading.Event(), []
        self.go_on.set()

    def predict(self, frame):
        self.asked.set()
        assert self.go_on.wait(60)
        return pd.DataFrame({"text": frame["text"], "score": 1.0})

    def note_refusals(self, requests, connections):
        self.noted.append((requests, connections))
        if len(self.noted) == 1:
            raise HomeError("ledger: does not answer", "try again")


class Served:
    """A server of the fake detector in a thread."""

    def __init__(self):
        self.detector = Detector()
        token = Token(hashlib.sha256(TOKEN.encode()).digest())
        self.connections = OpenConnections(LIMITS, token.is_in)
        app = make_app(self.detector, token, RateLimit(1000), self.connections, every_s=0.2)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = Server(listener, app, self.connections)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        until(lambda: self.server.started)
        self.clients = []

    def close(self):
        for client in self.clients:
            client.close()
        self.server.should_exit = True
        self.thread.join(60)

    def open(self, sent=b""):
        """A connection that has sent something, not all."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        client.sendall(sent)
        self.clients.append(client)
        return client

    def ask(self, token=TOKEN):
        """Status and headers of a question in a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"dataframe_records": [{"text": "Ada Lovelace"}]})
        connection.request("POST", "/invocations", body, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers


@pytest.fixture
def served():
    server = Served()
    yield server
    server.detector.go_on.set()
    server.close()


def until(holds):
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.01)


def closed(client):
    """Whether the other side has closed the connection by now, or will within the minute."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def test_many_half_open_connections_shut_nobody_out(served):
    partly = (b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n123", HEAD + b"Authorization: ")
    flood = [served.open(partly[number % len(partly)]) for number in range(300)]
    assert served.ask()[0] == 200
    assert len(served.server.server_state.connections) <= LIMITS.most + 2 * LIMITS.at_once
    assert all(closed(client) for client in flood[:200])


def test_the_answer_to_whom_the_token_holds_survives_a_flood(served):
    served.detector.go_on.clear()
    body = b'{"dataframe_records": [{"text": "Ada"}]}'
    client = served.open(HEAD + BEARER + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    until(served.detector.asked.is_set)
    for _ in range(100):
        served.open(HEAD)
    time.sleep(2 * LIMITS.request_s)  # longer than a request may take; an answer may take longer
    served.detector.go_on.set()
    assert client.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + BEARER + b"Content-Length: 900\r\n\r\n"])
def test_who_sends_a_byte_now_and_then_is_closed(served, begun):
    client = served.open(begun)
    with suppress(ConnectionResetError, BrokenPipeError):
        for _ in range(600):
            client.sendall(b"x")
            time.sleep(0.1)
        pytest.fail("it stayed open for a minute")
    assert served.ask()[0] == 200


def test_a_connection_without_the_token_is_not_kept(served):
    status, headers = served.ask("wrong")
    assert (status, headers["Connection"]) == (401, "close")


def test_who_is_turned_away_is_counted_in_log_and_trail(served, caplog):
    caplog.set_level(logging.INFO, logger="flows.scoring.serve_app")
    for _ in range(30):
        served.ask("wrong-token")
    until(lambda: sum(requests for requests, _ in served.detector.noted) == 30)
    served.ask("wrong-token")
    slow = served.open(HEAD)
    assert closed(slow)
    served.close()
    assert [sum(counts) for counts in zip(*served.detector.noted, strict=True)] == [31, 1]
    assert len(served.detector.noted) < 31
    assert "requests without the token" in caplog.text
    assert "ledger: does not answer" in caplog.text
    assert "wrong-token" not in caplog.text


def test_what_is_no_request_fills_no_log(served):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    try:
        for _ in range(200):
            assert closed(served.open(b"\x16\x03\x01 no request\r\n\r\n"))
    finally:
        logger.removeHandler(handler)
    assert 1 <= len(records) < 20


def test_a_kind_of_line_is_written_once_a_minute_with_the_number_of_others():
    now = 0.0
    spare = OncePerMinute(lambda: now)

    def written(line, number):
        record = logging.LogRecord("x", logging.ERROR, "x.py", line, "bad %d", (number,), None)
        return record.getMessage() if spare.filter(record) else None

    assert [written(1, number) for number in range(4)] == ["bad 0", None, None, None]
    assert written(2, 7) == "bad 7"
    now = 60.0
    assert written(1, 4) == "bad 4 (3 more of this kind before)"
    assert written(1, 5) is None


@pytest.mark.parametrize(
    ("soft", "hard", "most"), [(256, 512, 128), (512, 512, 128), (1024, 16384, 1024)]
)
def test_connections_take_a_part_of_the_open_files_that_may_be_had(soft, hard, most):
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if resource.RLIM_INFINITY != allowed < hard:
        pytest.skip("the limit of open files is lower here")
    code = (
        "import resource; from flows.scoring.serve_connections import connection_limits;"
        "limits = connection_limits();"
        "print(limits.most, limits.at_once, resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    ).stdout  # fmt: skip
    assert tuple(map(int, told.split())) == (most, most // 4, min(hard, 8192))

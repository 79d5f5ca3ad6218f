"""Prefect's server is asked again while it is busy, and its refusals are told."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from flows.machine.services.prefect_api import PrefectApi
from tuni.errors import EnvironmentFault


class Answers:
    """A server that gives these answers, one after the other."""

    def __init__(self, *codes: int) -> None:
        left = list(codes)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(left.pop(0))
                self.end_headers()
                self.wfile.write(b"[7]")

            def log_message(self, *_: Any) -> None:
                pass

        self.left = left
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api = PrefectApi(f"http://127.0.0.1:{self.server.server_port}", "admin:secret")
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def answers() -> Iterator[Any]:
    """Starts such servers."""
    started: list[Answers] = []

    def start(*codes: int) -> Answers:
        started.append(Answers(*codes))
        return started[-1]

    yield start
    for one in started:
        one.server.shutdown()
        one.server.server_close()


def test_a_busy_server_is_asked_again(answers) -> None:
    server = answers(503, 503, 200)
    assert server.api.ask("flows") == [7]
    assert server.left == []


@pytest.mark.parametrize("code", [401, 404, 500])
def test_a_refusal_is_told_at_once_and_without_the_login(answers, code: int) -> None:
    server = answers(code, 200)
    with pytest.raises(EnvironmentFault, match=rf"asked for flows \({code}\)") as raised:
        server.api.ask("flows")
    assert server.left == [200]
    assert "secret" not in str(raised.value)

"""How long who holds the token waits while thousands of connections are open that ask nothing.

    python -m benchmarks.serve_flood --connections 2000 --seconds 60

Starts `tuni serve` for a small checkpoint and times questions: before, once the connections are
open (silent, or with a part of a request), and while they are opened anew as they are closed.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from flows.machine.settings import Settings
from tests.flows.conftest import register_tiny
from tests.objects import save_tiny, tiny_settings

PARTS = (b"", b"POST /invocations HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 999)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--questions", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), asked.connections, asked.seconds, asked.questions)


def _measure(folder: Path, connections: int, seconds: float, questions: int) -> None:
    home = folder / "home"
    register_tiny(Settings(home=home), save_tiny(folder / "checkpoint", tiny_settings()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("tuni")), "serve", "--checkpoint", "tiny"]
    ours = {"TUNI_HOME": str(home), "TUNI_SERVE_RATE": "100000", "OMP_NUM_THREADS": "1"}
    printed = folder / "printed"
    with printed.open("w") as file:
        server = subprocess.Popen(
            [*command, "--port", str(port)], env=os.environ | ours, stdout=file, stderr=file
        )
    # The server has the limit of whoever starts it; the flood as much as it may.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        while not _listens(port):
            time.sleep(0.1)
        token = (home / "serve.token").read_text(encoding="ascii").strip()
        _ask(port, token)
        usual = [_ask(port, token) for _ in range(questions)]
        logs = (printed, home / "logs" / "tuni.log")
        before = sum(log.stat().st_size for log in logs)
        flood = _Flood(port, connections)
        then = [_ask(port, token) for _ in range(questions)]
        flood.go_on()
        ends = time.monotonic() + seconds
        meanwhile = []
        while time.monotonic() < ends:
            meanwhile.append(_ask(port, token))
        flood.end()
        written = sum(log.stat().st_size for log in logs) - before
    finally:
        server.terminate()
        server.wait()
    middle = statistics.median(usual)
    sys.stdout.write(
        f"usual, of {questions}: {middle * 1000:.0f} ms, longest {max(usual) / middle:.2f} of it\n"
        f"{connections:,} connections without a token, then one with it: {then[0] * 1000:.0f} ms "
        f"({then[0] / middle:.2f} of usual), median of {questions}: "
        f"{statistics.median(then) / middle:.2f}, longest {max(then) / middle:.2f}\n"
        f"while {flood.opened:,} were opened in {seconds:.0f} s: "
        f"{statistics.median(meanwhile) * 1000:.0f} ms "
        f"({statistics.median(meanwhile) / middle:.2f} of usual), longest "
        f"{max(meanwhile) * 1000:.0f} ms, {len(meanwhile):,} questions\n"
        f"log meanwhile: {written:,} bytes\n"
    )


class _Flood:
    """Connections that ask nothing, opened again where the server closed them."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._ended = port, threading.Event()
        self.opened = 0
        self._open = [self._another() for _ in range(count)]
        self._again = threading.Thread(target=self._reopen)

    def go_on(self) -> None:
        self._again.start()

    def end(self) -> None:
        self._ended.set()
        self._again.join()
        for one in self._open:
            one.close()

    def _another(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        client.setblocking(False)
        client.send(PARTS[self.opened % len(PARTS)])
        self.opened += 1
        return client

    def _reopen(self) -> None:
        while not self._ended.is_set():
            for place, one in enumerate(self._open):
                if _is_closed(one):
                    one.close()
                    self._open[place] = self._another()
                if self._ended.is_set():
                    return
            time.sleep(0.05)


def _is_closed(client: socket.socket) -> bool:
    try:
        return not client.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask(port: int, token: str) -> float:
    """Seconds that a question of one text takes, in a connection of its own."""
    body = json.dumps({"dataframe_records": [{"text": "Ada Lovelace"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", body, {"Authorization": f"Bearer {token}"}
    )
    begun = time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

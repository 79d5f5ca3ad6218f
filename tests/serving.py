"""Servers in processes of their own, ended with the test; where Postgres has its programs."""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 240


@contextmanager
def serving(
    command: Sequence[str], environment: Mapping[str, str], alive: str, log: Path
) -> Iterator[None]:
    """A server that answers; with its processes it is killed at the end of the block.

    Args:
        command: Starts it.
        environment: All its variables.
        alive: Address that answers once it is there.
        log: What it prints goes there.
    """
    with log.open("w", encoding="utf-8") as output:
        # A process group of its own: its workers would outlive a signal to the server alone.
        server = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        ends = time.monotonic() + PATIENCE_S
        while not answers(alive):
            assert server.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < ends, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(address: str) -> bool:
    """Whether a server answers there, however it does."""
    try:
        urllib.request.urlopen(address, timeout=60).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def postgres_programs() -> Path:
    """Where initdb and the server lie."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.skip("Postgres is missing: no initdb in /usr/lib/postgresql/*/bin or on PATH")
    return found[-1].parent if found else Path(str(on_path)).parent

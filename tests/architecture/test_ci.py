"""The promises of the root conftest.py, shown on a project of three tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import socket
import pytest

@pytest.mark.skip(reason="Postgres is not installed")
def test_of_something_missing(): ...

@pytest.mark.skip(reason="GPU: there is none")
def test_of_a_gpu(): ...

def test_network():
    with pytest.raises(PermissionError, match="this machine alone"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 9), timeout=1)
"""


@pytest.mark.parametrize(
    ("required", "summary"), [("0", "1 passed, 2 skipped"), ("1", "1 passed, 1 skipped, 1 error")]
)
def test_a_skip_for_want_of_a_program_fails_where_everything_is_required(
    tmp_path, required, summary
):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_three.py").write_text(TESTS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "TUNI_REQUIRE_ALL": required},
    )  # fmt: skip
    assert summary in done.stdout
    assert ("skipped although TUNI_REQUIRE_ALL=1" in done.stdout) == (required == "1")

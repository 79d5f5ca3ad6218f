"""A home of its own for each test, a real MLflow server, a real Postgres where there is one."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from registry.home import Home
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from tuni.detectors.bundle import Bundle, Scorer, write_bundle
from tuni.detectors.model import ArrayModel
from tuni.features.spec import FeatureSpec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    with Ledger.open(home) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def any_ledger(request: pytest.FixtureRequest, home: Home) -> Iterator[Ledger]:
    """A ledger on each database that we promise."""
    url = request.getfixturevalue("postgres")() if request.param == "postgres" else None
    with Ledger.open(replace(home, database=url)) as opened:
        yield opened


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow server on loopback."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (folder / "log").open("w") as log:
        # A process group of its own: its workers outlive a signal to the server alone.
        server = subprocess.Popen(
            command, env=ours | settings, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home for tests that keep apart by name: MLflow takes seconds to make its tables."""
    return Home.open(tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest, shared_home: Home) -> ModelStore:
    """A model store of each kind that we promise."""
    if request.param == "embedded":
        return ModelStore(shared_home)
    return ModelStore(shared_home, request.getfixturevalue("mlflow_server"))


@pytest.fixture
def name() -> str:
    """A fresh model name."""
    return f"m-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle that scores one plain column; ``seed`` tells bundles apart."""

    def make(seed: int = 0, fingerprint: str = "f" * 64) -> Path:
        scorer = Scorer(
            model=ArrayModel("feature", ("noise",), {"sign": 1.0}),
            decoy_scores=np.arange(50) / 50.0,
            gibberish_scores=np.arange(50) / 100.0,
            quantum=1e-6,
        )
        bundle = Bundle(
            checkpoint="m",
            fingerprint=fingerprint,
            kind="name",
            feature_spec=FeatureSpec(parts=()),
            pair=scorer,
            single=None,
            operating_point=0.05,
            seed=seed,
            settings={},
            evidence={},
            versions={},
        )
        folder = tmp_path / f"bundle-{seed}-{fingerprint[:4]}"
        write_bundle(bundle, folder)
        return folder

    return make


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[[str, list[list[str]]], list[str]]:
    """Runs code in processes at once, one for each list of arguments, and gives their output."""

    def run(code: str, arguments: list[list[str]]) -> list[str]:
        started = [
            subprocess.Popen([sys.executable, "-c", code, *some], stdout=subprocess.PIPE, text=True)
            for some in arguments
        ]
        outputs = [process.communicate()[0].strip() for process in started]
        assert [process.returncode for process in started] == [0] * len(started)
        return outputs

    return run

"""A home of its own for each test, a real MLflow server, a real Postgres where there is one."""

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import make_url

from registry.home import Home
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from tests import objects
from tests.objects import free_port, one_column_scorer
from tests.serving import serving
from tuni.detectors.bundle import write_bundle
from tuni.features.spec import FeatureSpec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with an empty ledger, to be copied: migrations take longer than most tests."""
    home = Home.open(tmp_path_factory.mktemp("migrated") / "home")
    Ledger.open(home).close()
    return home


@pytest.fixture(scope="session")
def migrated_database(migrated_home: Home, postgres: Callable[..., str]) -> str:
    """Name of a Postgres database with an empty ledger of that home's key, to be copied."""
    url = postgres()
    Ledger.open(replace(migrated_home, database=url)).close()
    return str(make_url(url).database)


@pytest.fixture
def ledger(home: Home, migrated_home: Home) -> Iterator[Ledger]:
    shutil.copytree(migrated_home.root, home.root, dirs_exist_ok=True)
    with Ledger.open(home) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def any_ledger(request: pytest.FixtureRequest, home: Home, migrated_home: Home) -> Iterator[Ledger]:
    """A ledger on each database that we promise."""
    shutil.copytree(migrated_home.root, home.root, dirs_exist_ok=True)
    url = None
    if request.param == "postgres":
        home.ledger_file.unlink()
        url = request.getfixturevalue("postgres")(request.getfixturevalue("migrated_database"))
    with Ledger.open(replace(home, database=url)) as opened:
        yield opened


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow server on loopback."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with serving(command, ours | settings, f"{address}/health", folder / "log"):
        yield address


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
        scorer = one_column_scorer("noise", np.arange(50) / 50.0, np.arange(50) / 100.0)
        spec = FeatureSpec(parts=())
        bundle = objects.make_bundle(scorer, spec, fingerprint=fingerprint, seed=seed)
        folder = tmp_path / f"bundle-{seed}-{fingerprint[:4]}"
        write_bundle(bundle, folder)
        return folder

    return make

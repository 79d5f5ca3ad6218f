"""What many tests share: small random-weight checkpoints, a real Postgres where there is one."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, select, text, update

from registry.home import Home
from registry.ledger import schema
from registry.ledger.ledger import Ledger
from registry.ledger.root_secret import ROOT
from tests.objects import save_tiny, tiny_settings
from tests.serving import postgres_programs
from tuni.model.load import load_target
from tuni.model.target import Target

# A busy machine is no failure: no test judges a time.
settings.register_profile("tuni", deadline=None)
settings.load_profile("tuni")

LONG = ("docker", "e2e")  # folders whose tests take a minute each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests at the head of each half, since two workers begin with a half each.

    The second half takes its files from last to first, so that not both begin with what the other
    makes for them.
    """
    long = [item for item in items if item.path.parent.name in LONG]
    files = list(dict.fromkeys(item.path for item in long))
    middle = len(files) // 2
    heads = [
        [item for path in paths for item in long if item.path == path]
        for paths in (files[:middle], reversed(files[middle:]))
    ]
    short = [item for item in items if item.path.parent.name not in LONG]
    half = max(len(items) // 2 - len(heads[0]), 0)
    items[:] = heads[0] + short[:half] + heads[1] + short[half:]


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a checkpoint folder from changes to the small settings."""
    made = 0

    def make(seed: int = 0, **changes: Any) -> Path:
        nonlocal made
        made += 1
        return save_tiny(tmp_path / f"checkpoint{made}", tiny_settings(**changes), seed)

    return make


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ViT checkpoint in open_clip's folder format; do not write into it."""
    return save_tiny(tmp_path_factory.mktemp("tiny") / "checkpoint", tiny_settings())


@pytest.fixture(scope="session")
def retrained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with other weights; do not write into it."""
    folder = tmp_path_factory.mktemp("retrained") / "checkpoint"
    return save_tiny(folder, tiny_settings(), seed=1)


@pytest.fixture(scope="session")
def tiny_target(tiny_folder: Path) -> Target:
    """That checkpoint, loaded."""
    return load_target(tiny_folder)


@pytest.fixture(scope="session")
def share_keys() -> Callable[[Path, Path], Path]:
    """Makes a fresh home with another one's keys, so that the same lists are divided alike."""

    def make(known: Path, fresh: Path) -> Path:
        home = Home.open(fresh)
        shutil.copy2(known / "key", home.key_file)
        table = schema.settings
        with Ledger.open(Home.open(known)) as one, one.engine.connect() as connection:
            root = connection.scalar(select(table.c.value).where(table.c.name == ROOT))
        with Ledger.open(home) as other, other.engine.begin() as connection:
            connection.execute(update(table).where(table.c.name == ROOT).values(value=root))
        return home.root

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[..., str]]:
    """Starts a Postgres server; each call makes a database, or copies one, and gives its URL."""
    programs = postgres_programs()
    root = os.geteuid() == 0
    user = "nobody" if root else os.environ.get("USER", "postgres")
    # Postgres refuses to run as root, and another user cannot enter pytest's own folder.
    switch = {"user": user} if root else {}
    folder = Path(tempfile.mkdtemp(prefix="tuni-pg-"))
    if root:
        shutil.chown(folder, user)

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **switch)

    data = folder / "data"
    call(str(programs / "initdb"), "-D", str(data), "-U", user, "-A", "trust", "-N")
    options = f"-c listen_addresses='' -c fsync=off -k {folder}"
    log = str(folder / "log")
    call(str(programs / "pg_ctl"), "-D", str(data), "-w", "-o", options, "-l", log, "start")
    address = f"postgresql+psycopg://{user}@/{{}}?host={folder}"

    def fresh(template: str = "template1") -> str:
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return address.format(name)

    try:
        yield fresh
    finally:
        call(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

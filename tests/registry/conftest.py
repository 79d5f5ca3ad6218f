"""A home of its own for each test, and a real Postgres where the machine has one."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from registry.home import Home
from registry.ledger import Ledger
from registry.pseudonyms import Keys


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    with Ledger.open(home, Keys.load(home)) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Starts a Postgres server; each call makes a fresh database and gives its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("Postgres is missing: no initdb in /usr/lib/postgresql/*/bin or on PATH")
    programs = found[-1].parent if found else Path(str(on_path)).parent
    root = os.geteuid() == 0
    user = "nobody" if root else os.environ.get("USER", "postgres")
    # Postgres refuses to run as root, and another user cannot enter pytest's own folder.
    prefix = ["runuser", "-u", user, "--"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="tuni-pg-"))
    if root:
        shutil.chown(folder, user)

    def call(*command: str) -> None:
        subprocess.run([*prefix, *command], check=True, capture_output=True, cwd=folder)

    data = folder / "data"
    call(str(programs / "initdb"), "-D", str(data), "-U", user, "-A", "trust", "-N")
    options = f"-c listen_addresses='' -c fsync=off -k {folder}"
    log = str(folder / "log")
    call(str(programs / "pg_ctl"), "-D", str(data), "-w", "-o", options, "-l", log, "start")
    address = f"postgresql+psycopg://{user}@/{{}}?host={folder}"

    def fresh() -> str:
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return address.format(name)

    try:
        yield fresh
    finally:
        call(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def any_ledger(request: pytest.FixtureRequest, home: Home) -> Iterator[Ledger]:
    """A ledger on each database that we promise."""
    url = request.getfixturevalue("postgres")() if request.param == "postgres" else None
    with Ledger.open(home, Keys.load(home), url) as opened:
        yield opened

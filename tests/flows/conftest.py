"""The command run inside the test's process, and small checkpoints, lists and registries for it."""

import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.calibrate import make_bundle
from flows.cli import main
from flows.job import Job
from flows.settings import Request, Settings
from flows.space import default_detector
from registry.models import ModelStore
from tuni.bundle import write_bundle

NAME = "tiny"
# The least that a request may ask for: what is tested here is not how good a detector is.
SMALL = {
    "nulls": {
        "gibberish": 500,
        "decoy_fit": 200,
        "decoy_search": 100,
        "decoy_calibration": 200,
        "decoy_check": 100,
    },
    "features": {"inversion": False, "geometry": False, "stability": False},
    "compute": {"threads": 1},
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def result(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Registered:
    """A home in which one detector of the tiny checkpoint is champion."""

    home: Path
    checkpoint: Path
    request: Request
    version: int


@contextlib.contextmanager
def untouched_process() -> Iterator[None]:
    """Put environment, arguments and log handlers back: a command owns its process, a test not."""
    environment, arguments = dict(os.environ), sys.argv
    loggers = [logging.getLogger(name) for name in ("tuni", "registry", "flows")]
    kept = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        for logger, handlers, level, propagate in kept:
            for handler in logger.handlers:
                if handler not in handlers:
                    handler.close()
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    with untouched_process():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a home may be made."""
    return tmp_path / "home"


@pytest.fixture
def tuni(home: Path) -> Callable[..., Ended]:
    """Runs `tuni` with some arguments in this process, in a home of the test's own."""

    def command(*arguments: object, home: Path = home, **environment: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with (
            untouched_process(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in [name for name in os.environ if name.startswith("TUNI_")]:
                del os.environ[name]
            os.environ |= {"TUNI_HOME": str(home), **environment}
            sys.argv = ["tuni", *map(str, arguments)]
            code = 0
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Ended(code, out.getvalue(), err.getvalue())

    return command


def toml(tables: Mapping[str, Any]) -> str:
    """A request file's text; JSON's strings, numbers and lists are TOML's too."""
    lines = [
        f"{key} = {json.dumps(value)}" for key, value in tables.items() if type(value) is not dict
    ]
    for name, table in tables.items():
        if type(table) is dict:
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def request_file(tmp_path: Path, tiny_folder: Path) -> Callable[..., Path]:
    """Writes a request about the tiny checkpoint; tables given are merged into the small one."""

    def write(**tables: Any) -> Path:
        content: dict[str, Any] = {"checkpoint": {"name": NAME, "folder": str(tiny_folder)}}
        for name, table in (SMALL | tables).items():
            merged = type(table) is dict and name in SMALL
            content[name] = SMALL[name] | table if merged else table
        path = tmp_path / "request.toml"
        path.write_text(toml(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a table below the test's folder."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def register_tiny(settings: Settings, folder: Path) -> Registered:
    """Make a detector of the tiny checkpoint and promote it, in the home of some settings."""
    request = Request.model_validate({"checkpoint": {"name": NAME, "folder": str(folder)}, **SMALL})
    job = Job(request, settings)
    bundle = make_bundle(job, default_detector(job.spec))
    made = settings.home.with_name("bundle")
    write_bundle(bundle, made)
    store = ModelStore(job.home, None, job.ledger)
    version = store.register(NAME, made, tags={"job": job.hash}, description="tiny")
    store.promote(NAME, version.version, "first")
    job.close()
    return Registered(settings.home, folder, request, version.version)


@pytest.fixture(scope="session")
def make_registered() -> Callable[[Settings, Path], Registered]:
    """Registers a detector of the tiny checkpoint where settings say."""
    return register_tiny


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Registered:
    """A champion of the tiny checkpoint, made by the rooms themselves, without Prefect."""
    home = tmp_path_factory.mktemp("registered") / "home"
    with untouched_process():
        return register_tiny(Settings(home=home), tiny_folder)


CANARY = "Zebulon Quartz"
FIRST_LINE = "loading the checkpoint, then measuring what the job will cost\n"


@pytest.fixture
def refused() -> Callable[..., None]:
    """Holds a refusal to what all of them promise: code, one sentence, a fix, and no subject."""

    def check(done: Ended, *words: str, code: int = 2) -> None:
        assert done.code == code, done
        assert done.out == ""
        assert done.err.removeprefix(FIRST_LINE).startswith("tuni: ")
        assert "\n  fix: " in done.err
        assert "Traceback" not in done.err
        assert CANARY.split()[0] not in done.err
        for word in words:
            assert word in done.err, done.err

    return check


@pytest.fixture
def nothing_made(home: Path) -> Callable[[], None]:
    """Says that the test's home holds no job, no run and no bundle."""

    def check() -> None:
        assert not [
            name for name in ("artifacts", "bundles", "mlflow.db") if (home / name).exists()
        ]
        assert not list((home / "jobs").glob("*"))

    return check

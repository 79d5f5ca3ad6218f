"""Start-up: how soon the command answers. Whole processes, one after the other."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import typer
from timing import Row, figure, seconds

from flows.cli import app

_CALL = "import sys; from flows.cli import main; sys.argv = ['tuni', {}]; main()"
_REQUEST = '[checkpoint]\nname = "bench"\nfolder = "."\n\n[subjects]\nlist = "list.csv"\n'


def measure(smoke: bool) -> Iterator[Row]:
    """Help, then the first line of a job."""
    shown = tuple(_helps(typer.main.get_command(app)))
    known = (("--help",), ("score", "--help"))
    for command in known:
        spent = [seconds(partial(_run, command)) for _ in range(2 if smoke else 10)][1:]
        yield figure("start-up", f"tuni {' '.join(command)}", spent, "s", wanted="< 0.3")
    spent = [
        statistics.median(seconds(partial(_run, command)) for _ in range(3))
        for command in (known if smoke else shown)
    ]
    yield figure(
        "start-up", f"--help of {len(spent)} verbs, fastest to slowest", spent, "s", wanted="< 0.3"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "request.toml").write_text(_REQUEST, encoding="utf-8")
        (folder / "list.csv").write_text("text\nAda Roe\n", encoding="utf-8")
        spent = [_first_line(folder) for _ in range(1 if smoke else 5)]
    yield figure("start-up", "tuni run: first line", spent, "s", wanted="< 3")


def _helps(command: object, *path: str) -> Iterator[tuple[str, ...]]:
    yield (*path, "--help")
    for name, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, *path, name)


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", _CALL.format(", ".join(map(repr, words)))]


def _run(words: tuple[str, ...]) -> None:
    subprocess.run(_command(words), check=True, stdout=subprocess.DEVNULL)


def _first_line(folder: Path) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        _command(("run", str(folder / "request.toml"))),
        stderr=subprocess.PIPE,
        env={**os.environ, "TUNI_HOME": str(folder / "home")},
    ) as process:
        if process.stderr is None or not process.stderr.readline().startswith(b"loading"):
            raise RuntimeError("the first line of `tuni run` is another one")
        spent = time.perf_counter() - started
        process.kill()
    return spent

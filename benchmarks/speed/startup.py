"""Start-up: how soon the command answers. Whole processes, one after the other."""

import os
import resource
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

from flows.cli.app import app

_CALL = "import sys; from flows.cli import main; sys.argv = ['tuni', {}]; main()"
_REQUEST = '[checkpoint]\nname = "bench"\nfolder = "."\n\n[subjects]\nlist = "list.csv"\n'


def measure(smoke: bool) -> Iterator[Row]:
    """Help, then the first line of a job."""
    shown = tuple(_helps(typer.main.get_command(app)))
    known = (("--help",), ("score", "--help"))
    for command in known:
        runs = [_run(command) for _ in range(2 if smoke else 10)][1:]
        yield _row(f"tuni {' '.join(command)}", runs)
    runs = [_run(command) for command in (known if smoke else shown)]
    yield _row(f"--help of {len(runs)} verbs, fastest to slowest", runs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "home").mkdir(mode=0o700)
        (folder / "request.toml").write_text(_REQUEST, encoding="utf-8")
        (folder / "list.csv").write_text("text\nAda Roe\n", encoding="utf-8")
        # Enough of a checkpoint to be begun with; the job is stopped before more of it is read.
        (folder / "open_clip_config.json").write_text("{}", encoding="utf-8")
        spent = [_first_line(folder) for _ in range(1 if smoke else 5)]
    yield figure("start-up", "tuni run: first line", spent, "s", wanted="< 3")


def _helps(command: object, *path: str) -> Iterator[tuple[str, ...]]:
    yield (*path, "--help")
    for name, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, *path, name)


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", _CALL.format(", ".join(map(repr, words)))]


def _run(words: tuple[str, ...]) -> tuple[float, float]:
    """Wall time of a command, and the processor time of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = seconds(partial(subprocess.run, _command(words), check=True, stdout=subprocess.DEVNULL))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _row(name: str, runs: list[tuple[float, float]]) -> Row:
    used = [used for _, used in runs]
    return figure(
        "start-up", name, [spent for spent, _ in runs], "s", wanted="< 0.3",
        more={"processor s": statistics.median(used), "at most": max(used)},
    )  # fmt: skip


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

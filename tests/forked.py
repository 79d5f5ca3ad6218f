"""Runs code in processes of their own whose imports are done: forks of one that has them.

A command spends most of its time on imports. Here arguments, environment and output are its own,
and it ends as a process does, killed where it kills itself. Where the beginning of a process is the
point, or its terminal, or Ctrl-C, a test starts one itself.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT_S = 600
TUNI = "from flows.cli.app import main; main()"

_context = multiprocessing.get_context("forkserver")
# What commands need; not Prefect, which reads its settings when it is imported.
_context.set_forkserver_preload(
    [
        "flows.cli.app",
        "flows.job.estimate",
        "flows.scoring.score",
        "mlflow.pyfunc",
        "open_clip",
        "opentelemetry.sdk.trace",
        "optuna",
        "pandas",
        "pydantic_settings",
        "redis.asyncio",
        "sklearn.ensemble",
        "sklearn.metrics",
        "sklearn.neighbors",
        "torch",
        "tuni.bench.testbed.build",
    ]
)


def run_all(
    code: str,
    arguments: Sequence[Sequence[object]],
    environment: Mapping[str, str] | None = None,
) -> list[subprocess.CompletedProcess[str]]:
    """What becomes of code in processes at once, one for each list of arguments.

    Args:
        code: Python; it finds its arguments where a script would.
        arguments: Without the name of the script.
        environment: None: this process's.
    """
    variables = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for number, one in enumerate(arguments):
            command = ["-c", *map(str, one)]
            outputs = [Path(folder, f"{number}.{name}") for name in ("out", "err")]
            asked = (code, command, variables, *map(str, outputs))
            process = _context.Process(target=_begin, args=asked)
            process.start()
            started.append((process, command, outputs))
        for process, _, _ in started:
            process.join(LIMIT_S)
            process.kill()
            process.join()
        return [
            subprocess.CompletedProcess(
                command, process.exitcode, *(path.read_text("utf-8") for path in outputs)
            )
            for process, command, outputs in started
        ]


def run(
    code: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What becomes of code in a process."""
    (done,) = run_all(code, [arguments], environment)
    return done


def _begin(code: str, arguments: list[str], variables: dict[str, str], out: str, err: str) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # the server's
    sys.argv = arguments
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    finally:  # as Python ends; a fork of `multiprocessing` leaves the second out
        threading._shutdown()
        atexit._run_exitfuncs()

"""What a first audit of a ViT-B/32 of true size costs: what `tuni run --estimate-only` tells.

The weights are random, which moves no time. 60 + 60 labels, a list of 400, everything else as a
request without further settings has it.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models import names, write_checkpoint
from timing import Row, figure

_CALL = "import sys; from flows.cli import main; sys.argv = ['tuni', *sys.argv[1:]]; main()"
LABELLED, LISTED = 120, 400
_TINY = """
[nulls]
gibberish = 500
decoy_fit = 200
decoy_search = 100
decoy_calibration = 200
decoy_check = 100

[features]
batch = 16
inversion_steps = 1
"""


def measure(smoke: bool) -> Iterator[Row]:
    """One row a family, and the whole job with and without inversion."""
    architecture = "testbed" if smoke else "ViT-B-32"
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    told = told_on(architecture, "cpu", smoke=smoke)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / wall
    spent = {one["family"]: one["seconds"] for one in told["families"]}
    for one in told["families"]:
        yield _row(
            f"{architecture}: {one['family']}, {one['texts']:,} texts", one["seconds"], cores
        )
    for words, without in (("without", spent["inversion"]), ("with", 0.0)):
        seconds = told["seconds"] - without
        yield _row(f"{architecture}: first audit, {words} inversion", seconds, cores)


def told_on(architecture: str, device: str, *, smoke: bool) -> dict[str, Any]:  # Any: JSON
    """What `tuni run --estimate-only --json` tells of a first audit on a device."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        more = f'{_TINY if smoke else ""}\n[compute]\ndevice = "{device}"\n'
        told: dict[str, Any] = json.loads(
            _estimate(write_request(architecture, folder, more), folder / "home")
        )
        return told


def write_request(architecture: str, folder: Path, more: str) -> Path:
    """A checkpoint, lists and a request, with ``more`` tables, in a folder that exists."""
    write_checkpoint(architecture, folder / "checkpoint")
    people = names(LABELLED + LISTED)
    rows = [f"{name},{row % 2}" for row, name in enumerate(people[:LABELLED])]
    lists = {"labelled": ["text,member", *rows], "list": ["text", *people[LABELLED:]]}
    for name, lines in lists.items():
        (folder / f"{name}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    request = folder / "request.toml"
    request.write_text(
        '[checkpoint]\nname = "bench"\nfolder = "checkpoint"\n\n'
        f'[subjects]\nlabelled = "labelled.csv"\nlist = "list.csv"\n{more}',
        encoding="utf-8",
    )
    return request


def _estimate(request: Path, home: Path) -> str:
    command = [sys.executable, "-c", _CALL, "run", str(request), "--estimate-only", "--json"]
    asked = {**os.environ, "TUNI_HOME": str(home)}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=asked).stdout


def _row(name: str, seconds: float, cores: float) -> Row:
    """The figure, and how many cores the machine gave to the process that told it."""
    return figure("first audit", name, [seconds / 60], "min", more={"cores": cores})

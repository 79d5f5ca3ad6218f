"""Reads changed inputs in a process that may die, hang or swell, and says what became of each.

The one law: an input is its parser's name and a number, so that any of them can be made again.
"""

import faulthandler
import math
import os
import random
import resource
import select
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.parsers import PARSERS, Parser
from tuni.errors import EnvironmentFault, TuniError

SECONDS = 5.0  # of processor time
BYTES = 1_500_000_000
_READY, _UNSOUND = "ready", "unsound"
_SLACK = 120.0  # seconds that a busy machine may take for those


@dataclass(frozen=True, slots=True)
class Fault:
    """An input that met something else than acceptance or one of our refusals."""

    parser: str
    number: int
    what: str


def faults(parser: str, numbers: range) -> Iterator[Fault]:
    """Read the inputs of these numbers, and yield those that are no good end."""
    start = numbers.start
    while start < numbers.stop:
        with tempfile.TemporaryDirectory() as folder:
            start, found = _run(parser, range(start, numbers.stop), Path(folder))
        yield from found


def change(parser: Parser, sound: Path, into: Path, draw: random.Random) -> None:
    """Copy a sound input with one of its files changed."""
    shutil.copytree(sound, into)
    files = sorted({path for pattern in parser.files for path in into.rglob(pattern)})
    path = draw.choice([path for path in files if path.is_file()])
    (mutate,) = [how for pattern, how in parser.files.items() if path.match(pattern)]
    path.write_bytes(mutate(path.read_bytes(), draw))
    if draw.random() < 0.8:
        parser.mend(into)


def _run(name: str, numbers: range, folder: Path) -> tuple[int, list[Fault]]:
    """Read inputs in a child until all are done or one ends it; where to go on."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _child(name, numbers, folder, theirs)
    os.close(theirs)
    found: list[Fault] = []
    at, begun, used = numbers.start, time.monotonic(), math.inf  # until it has begun
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        told = b""
        while True:
            ready, _, _ = select.select([pipe], [], [], 0.2)
            if ready:
                data = pipe.read(65536)
                if not data:
                    break
                *lines, told = (told + data).split(b"\n")
                for line in lines:
                    number, _, what = line.decode(errors="replace").partition(" ")
                    if number == _UNSOUND:
                        raise RuntimeError(what)
                    begun, used = time.monotonic(), _cpu(child)
                    if number == _READY:
                        continue
                    at = int(number) + 1
                    if what:
                        found.append(Fault(name, int(number), what))
            elif _cpu(child) - used > SECONDS or time.monotonic() - begun > _SLACK:
                os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if at < numbers.stop:  # the input at hand ended the process
        ended = "took too long" if os.WTERMSIG(status) == signal.SIGKILL else f"status {status}"
        found.append(Fault(name, at, ended))
        at += 1
    return at, found


def _child(name: str, numbers: range, folder: Path, pipe: int) -> None:
    """Read one input after the other, and tell how each ended."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        faulthandler.disable()
        warnings.simplefilter("ignore")  # what a library says beside is no fault
        parser, sound = PARSERS[name], folder / "sound"
        sound.mkdir()
        parser.prepare(sound)
        parser.read(sound)  # imports what it needs; a sound input must be accepted
        room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (room + 4 * BYTES, room + 4 * BYTES))
        for number in numbers:
            into = folder / "changed"
            change(parser, sound, into, random.Random(f"{name} {number}"))
            Path("/proc/self/clear_refs").write_text("5")
            os.write(pipe, f"{_READY}\n".encode())  # changing it may take long too
            before, what = _peak(), ""
            try:
                parser.read(into)
            except TuniError as error:
                what = "" if not isinstance(error, EnvironmentFault) else f"{error!r}"
                str(error).encode()  # what is told must be printable
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)
                own = [frame for frame in where if "site-packages" not in frame.filename]
                what = f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
            if not what and _peak() - before > BYTES:
                what = f"{(_peak() - before) / 1e9:.1f} GB"
            shutil.rmtree(into)
            os.write(pipe, f"{number} {what}".replace("\n", " ").rstrip().encode() + b"\n")
    except BaseException:
        os.write(pipe, f"{_UNSOUND} {traceback.format_exc()!r}\n".encode())
    finally:
        os._exit(0)


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

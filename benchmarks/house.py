"""The house in figures: how large it is, and how many files a name passes on its way.

    python benchmarks/house.py            # what is counted by reading, in seconds
    python benchmarks/house.py --walk     # also a job and a list of a small testbed, in minutes

A file is on a name's way where one of its functions runs (importing it alone does not count).
"""

import argparse
import ast
import os
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tuni", "registry", "flows")
TRIALS = 6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--walk", action="store_true", help="run a job and score a list")
    asked = parser.parse_args()
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    _row("entries in the fullest folder", _fullest(), "<= 14")
    _row("lines of tuni + registry + flows", _lines(sources), "<= 26,000")
    _row("lines of tests", _lines(list((ROOT / "tests").rglob("*.py"))), "<= 14,000")
    _row("circles of imports", _circles(), "0")
    _row("modules outside tuni/texts that take names apart", _parsers(sources), "0")
    if asked.walk:
        for name, value, wanted in _walked():
            _row(name, value, wanted)


def _row(name: str, value: int, wanted: str) -> None:
    print(f"{name:<60} {value:>7,}   {wanted}", flush=True)  # noqa: T201


def _lines(paths: list[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def _fullest() -> int:
    """Entries of the fullest folder, ``__init__`` and ``py.typed`` left out."""
    counts: dict[Path, int] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.name not in ("__init__.py", "__pycache__", "py.typed", *_generated(path)):
                counts[path.parent] = counts.get(path.parent, 0) + 1
    return max(counts.values())


def _generated(path: Path) -> tuple[str, ...]:
    return (path.name,) if "__pycache__" in path.parts else ()


def _circles() -> int:
    """Groups of modules that import each other, imports for types left out."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    above = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {
        frozenset({module, *(other for other in above[module] if module in above[other])})
        for module in above
    }
    return sum(len(circle) > 1 for circle in circles)


def _parsers(sources: list[Path]) -> int:
    """Modules that import the parser of names, or read a first or last name."""
    count = 0
    for path in sources:
        if path.is_relative_to(ROOT / "tuni" / "texts"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        count += any(
            isinstance(node, ast.ImportFrom) and node.module == "tuni.texts.names"
            for node in ast.walk(tree)
        )
    return count


def _walked() -> Iterator[tuple[str, int, str]]:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TUNI_HOME"] = f"{scratch}/home"
        bed = Path(scratch) / "bed"
        _tuni("testbed", "--size", "test", "--seed", "7", "--out", str(bed))
        request = bed / "request.toml"
        content = request.read_text(encoding="utf-8")
        request.write_text(content + f"\n[search]\ntrials = {TRIALS}\n", encoding="utf-8")
        name = tomllib.loads(content)["checkpoint"]["name"]
        with _watching() as run:
            _tuni("run", str(request), "--json")
        yield "files on a name's way in tuni run", len(run.files), "<= 45"
        watched = bed / "watch.csv"
        command = ("score", "--checkpoint", name, "--version", "1", "--subjects", str(watched))
        with _watching(watched) as scored:
            _tuni(*command, "--out", f"{scratch}/verdicts.csv")
        yield "files on a name's way in tuni score", len(scored.files), "<= 22"
        yield "opens of the list's file in tuni score", scored.opens, "2"
        for kind, walk in (("run", run), ("score", scored)):
            (ROOT / ".venv" / f"walk-{kind}.txt").write_text("\n".join(sorted(walk.files)) + "\n")


def _tuni(*arguments: str) -> None:
    from flows.cli.app import main as command

    sys.argv = ["tuni", *arguments]
    try:
        command()
    except SystemExit as ended:
        if ended.code not in (None, 0, 3):
            raise


class _Walk:
    """Files of the packages in which a function ran, and how often one file was opened."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.opens = 0

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:  # Any: sys's own
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            path = Path(code.co_filename).relative_to(ROOT)
            body = code.co_name == "<module>" or not code.co_flags & 2  # a class's body
            if path.parts[0] in PACKAGES and not body:
                self.files.add(str(path))


@contextmanager
def _watching(file: Path | None = None) -> Iterator[_Walk]:
    walk, watching = _Walk(), True

    def opened(event: str, arguments: tuple[Any, ...]) -> None:  # Any: the audit event's own
        if watching and event == "open" and str(arguments[0]) == str(file):
            walk.opens += 1

    sys.addaudithook(opened)
    watch: Callable[..., None] = walk.profile
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        watching = False


if __name__ == "__main__":
    main()

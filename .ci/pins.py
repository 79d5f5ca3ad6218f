"""Write constraints.txt anew: what is installed, pinned, with the hash of every wheel of it.

    make pins

pip itself is asked for the hashes, for each Python and platform of `WHEELS`. Whoever installs then
gets these files or an error. Torch, and what it alone brings, has another build on other machines:
it is pinned in constraints-torch.txt, its CUDA libraries by its own requirements, without hashes.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
MACHINES = ("x86_64", "aarch64")
WHEELS = [(python, machine) for python in ("3.11", "3.12", "3.13") for machine in MACHINES]
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux1")
TORCH = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*")
OURS = {"pip", "tuni-audit"}
DEVELOPERS = "# For developers alone"
HEAD = """\
# Exact versions that are tested together, and the hashes of their wheels, which pip checks:
#     pip install --require-hashes --only-binary=:all: --no-deps -r constraints.txt
#     pip install -r constraints-torch.txt
#     pip install --no-deps --no-build-isolation .
# `make install` and the image do it so. To renew: install what pyproject.toml asks for into a new
# environment, run `make test`, then `make pins`.
"""


def main() -> None:
    """Write both files."""
    versions = {
        canonicalize_name(one.name): (one.name, one.version) for one in metadata.distributions()
    }
    torch = {name for name in versions if name in ("torch", "torchvision")}
    pinned = {name for name in versions if not (TORCH.fullmatch(name) or name in OURS)}
    hashes = _hashes([f"{name}=={versions[name][1]}" for name in sorted(pinned)])
    running = _closure() & pinned
    lines = [HEAD]
    for heading, names in (("", running), (DEVELOPERS, pinned - running)):
        lines += [heading] if heading else []
        for name in sorted(names):
            marks = "".join(f" \\\n    --hash=sha256:{one}" for one in sorted(hashes[name]))
            lines.append("{}=={}".format(*versions[name]) + marks)
    (ROOT / "constraints.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    head = "# Without hashes: which build of torch is right differs by machine.\n"
    exact = "".join("{}=={}\n".format(*versions[name]) for name in sorted(torch))
    (ROOT / "constraints-torch.txt").write_text(head + exact, encoding="utf-8")
    sys.stdout.write(f"{len(pinned)} packages, {sum(map(len, hashes.values()))} wheels\n")


def _closure() -> set[NormalizedName]:
    """What `tuni` needs to run with Postgres and models of transformers, and to be built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["hf"],
        *project["project"]["optional-dependencies"]["postgres"],
        *project["build-system"]["requires"],
        "setuptools",  # of torch
    ]
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in asked]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        for extra in {"", *one.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                needs = map(Requirement, metadata.requires(name) or [])
            except metadata.PackageNotFoundError:  # of another system
                continue
            waiting += [
                need
                for need in needs
                if need.marker is None or need.marker.evaluate({"extra": extra})
            ]
    return {canonicalize_name(name) for name, _ in found}


def _hashes(pins: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    with ThreadPoolExecutor(2) as pool:
        for wheels in pool.map(lambda place: _wheels(pins, *place), WHEELS):
            for name, mark in wheels:
                found[name].add(mark)
    return found


def _wheels(pins: list[str], python: str, machine: str) -> list[tuple[str, str]]:
    """Name and hash of the wheels that pip would take there."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "pins"), Path(folder, "told")
        asked.write_text("\n".join(pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--no-deps", "--only-binary=:all:", "--target", f"{folder}/none"]
        command += [f"--platform={platform}_{machine}" for platform in PLATFORMS]
        command += [f"--python-version={python}", "--report", str(told), "-r", str(asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"Python {python}, {machine}: {done.stderr.strip().splitlines()[-1]}")
        rows = json.loads(told.read_text(encoding="utf-8"))["install"]
    return [
        (
            canonicalize_name(row["metadata"]["name"]),
            row["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for row in rows
    ]


if __name__ == "__main__":
    main()

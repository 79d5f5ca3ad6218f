"""Side-by-side figures of how fast tuni is: `make bench`, `make bench-smoke`, `make bench-gpu`.

    python benchmarks/speed --out speed.json
    python benchmarks/speed --only text_encoder scorers --out speed.json

Every subject is one module beside this one, with a function ``measure(smoke)`` that yields rows,
and runs in a process of its own, so that none pays for what another left in memory. A file of this
machine that is there already keeps the subjects that are not measured anew.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

SUBJECTS = (
    "startup", "scorers", "text_encoder", "detectors", "scoring", "estimates", "search",
    "inversion",
    "first_audit",
)  # fmt: skip
GPU_SUBJECTS = ("gpu",)
WHOLE_JOBS = ("estimates", "first_audit")  # too long for a smoke test; tests/e2e run such jobs


def main() -> None:
    """Measure, print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--gpu", action="store_true", help="the subjects that need a GPU, alone")
    parser.add_argument("--only", nargs="+", choices=(*SUBJECTS, *GPU_SUBJECTS))
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--out", type=Path, help="where the figures go, as JSON")
    asked = parser.parse_args()
    if asked.smoke and asked.out:
        parser.error("--smoke measures nothing that --out should keep")
    # Before NumPy and torch start their pools.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(asked.threads)
    import torch

    wants_gpu = asked.gpu or set(asked.only or ()) & set(GPU_SUBJECTS)
    if wants_gpu and not asked.smoke and not torch.cuda.is_available():
        sys.stdout.write("bench-gpu: skipped, torch finds no CUDA device here\n")
        return
    subjects = asked.only or (GPU_SUBJECTS if asked.gpu else SUBJECTS)
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": asked.threads,
        "gpu": torch.cuda.get_device_name() if wants_gpu and torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if not asked.only or len(asked.only) > 1:
        sys.stdout.write(", ".join(f"{key} {value}" for key, value in machine.items()) + "\n")
        sys.stdout.flush()
    if asked.smoke and not asked.only:
        subjects = tuple(one for one in subjects if one not in WHOLE_JOBS)
    kept = _kept(asked.out, machine)
    for subject in subjects:
        rows: list[dict[str, object]] = []
        if len(subjects) > 1 and not asked.smoke:  # memory is not judged there
            rows = _alone(subject, asked)
        else:
            for row in importlib.import_module(subject).measure(asked.smoke):
                rows.append(asdict(row))
                _show(rows[-1])
                if asked.out:  # what a stopped run has measured is kept
                    kept[subject] = _dated(rows)
                    _write(asked.out, machine, kept)
        kept[subject] = _dated(rows)
        if asked.out:
            _write(asked.out, machine, kept)


def _dated(rows: list[dict[str, object]]) -> dict[str, object]:
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "rows": rows}


def _write(out: Path, machine: dict[str, object], kept: dict[str, dict[str, object]]) -> None:
    order = [name for name in (*SUBJECTS, *GPU_SUBJECTS) if name in kept]
    found = {"machine": machine, "subjects": {name: kept[name] for name in order}}
    part = out.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    part.replace(out)


def _kept(out: Path | None, machine: dict[str, object]) -> dict[str, dict[str, object]]:
    """Subjects of an earlier run on this very machine."""
    if out is None or not out.exists():
        return {}
    found = json.loads(out.read_text(encoding="utf-8"))
    if found["machine"] != machine:
        sys.exit(f"--out: {out} holds the figures of another machine; name another file")
    kept: dict[str, dict[str, object]] = found["subjects"]
    return kept


def _alone(subject: str, asked: argparse.Namespace) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "rows.json"
        command = [sys.executable, str(Path(__file__).parent), "--only", subject]
        command += ["--threads", str(asked.threads), "--out", str(out)]
        subprocess.run(command, check=True)
        found = json.loads(out.read_text(encoding="utf-8"))["subjects"][subject]["rows"]
        rows: list[dict[str, object]] = found
        return rows


def _show(row: dict[str, object]) -> None:
    spread = "" if row["low"] == row["high"] else f"  ({row['low']:.3g} to {row['high']:.3g})"
    wanted = f"  wanted {row['wanted']}" if row["wanted"] else ""
    more = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in row["more"].items()  # type: ignore[attr-defined]
    )
    figure = f"{row['value']:.3g} {row['unit']}"
    sys.stdout.write(f"{row['name']:<72} {figure:>12}{spread}{wanted}  {more}\n")
    sys.stdout.flush()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()

"""The figures of docs/scaling.md: audits under fire, and what the ledger costs a subject.

    python benchmarks/audits.py --out audits.json

Part `killed`: a list is audited by Ray workers while workers and the whole audit are killed at
random moments; the verdicts are compared with those of an undisturbed audit elsewhere. Part
`overhead`: an audit whose features are kept already, minus the same verdicts from memory, on SQLite
and on Postgres, for a list and one five times as long. What the file holds is not measured again.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from audit_homes import environment, import_list, make_home, postgres

KILLS_WITHIN = 0.9  # of the list: the last kill must leave something to do
DRIVER_SHARE = 0.2  # of the kills hit the audit's own process
SEED = 20
DATABASES = ("sqlite", "postgres")
SHARD = "4000"
LARGE = 1000  # rows; smaller tables are the fixed part of a ledger


def main() -> None:
    """Measure what the file lacks, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=20_000)
    parser.add_argument("--factor", type=int, default=5, help="the longer list, times as long")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--shard", type=int, default=250, help="subjects in a shard under fire")
    parser.add_argument("--only", choices=("killed", *DATABASES))
    parser.add_argument("--out", type=Path, default=Path("audits.json"))
    asked = parser.parse_args()
    found: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    with tempfile.TemporaryDirectory(prefix="tuni-audits-") as scratch:
        root = Path(scratch)
        parts: dict[str, Callable[[], dict[str, Any]]] = {"killed": lambda: killed(root, asked)}
        for kind in DATABASES:
            for count in (asked.subjects, asked.factor * asked.subjects):
                parts[f"{kind} {count}"] = partial(overhead, root, kind, count)
        for name, measure in parts.items():
            if name in found or asked.only not in (None, name.split()[0]):
                continue
            found[name] = measure()
            asked.out.write_text(json.dumps(found, indent=1, sort_keys=True))
    for line in shown(found):
        sys.stdout.write(line + "\n")


def killed(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """An audit under fire against an undisturbed one, each in a home of its own."""
    tell("testbed, detector and list")
    calm, fire = root / "calm", root / "fire"
    make_home(calm, None, root / "testbeds")
    import_list(calm, None, asked.subjects)
    shutil.copytree(calm, fire)
    tell("undisturbed audit")
    undisturbed = step(calm, None, "audit", "local", str(asked.shard))
    tell("audit under fire")
    rng = random.Random(SEED)
    # When so many subjects have a verdict, somebody is killed a moment later.
    last = KILLS_WITHIN * asked.subjects
    moments = sorted(rng.uniform(0, last) for _ in range(asked.kills))
    told = {"workers": 0, "audits": 0}
    started = time.perf_counter()
    driver = start(fire, asked)
    for number, moment in enumerate(moments):
        while written(fire) < moment:
            driver = driver if driver.poll() is None else begun_again(driver, fire, asked)
            time.sleep(0.05)
        whom = "audits" if rng.random() < DRIVER_SHARE else "workers"
        while not (victims := [driver.pid] if whom == "audits" else workers_of(driver.pid)):
            driver = driver if driver.poll() is None else begun_again(driver, fire, asked)
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 1))
        try:
            os.kill(rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:  # gone in that moment: the audit itself, then
            whom = "audits"
            os.kill(driver.pid, signal.SIGKILL)
        told[whom] += 1
        tell(f"kill {number + 1} of {asked.kills} ({whom}), {written(fire):,} verdicts")
        if whom == "audits":
            driver.wait()
            driver = start(fire, asked)
    while driver.wait() != 0:
        driver = begun_again(driver, fire, asked)
    seconds = time.perf_counter() - started
    here, there = verdicts(calm), verdicts(fire)
    return {
        "subjects": asked.subjects,
        "workers": asked.workers,
        "kills": told,
        "lost": sum(text not in there for text in here),
        "double": rows_of(fire) - len(there),
        "unequal": sum(there.get(text) != one for text, one in here.items()),
        "seconds": seconds,
        "undisturbed_s": undisturbed["seconds"],
    }


def start(home: Path, asked: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Begin the audit, or go on with it."""
    with (home / "fire.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, __file__, "step", "audit", "ray", str(asked.shard)],
            env=environment(home, None) | {"TUNI_WORKERS": str(asked.workers)},
            stdout=log,
            stderr=log,
        )


def begun_again(
    ended: subprocess.Popen[bytes], home: Path, asked: argparse.Namespace
) -> subprocess.Popen[bytes]:
    """An audit that ended by itself before its list was done is a failure of the program."""
    raise SystemExit(f"the audit ended with {ended.returncode}:\n{(home / 'fire.log').read_text()}")


def workers_of(driver: int) -> list[int]:
    """Processes of Ray workers below an audit's process."""
    parents, named = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            title = (folder / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)] = int(stat[1])
        if b"RayWorker" in title and stat[0] != "Z":
            named.add(int(folder.name))

    def below(one: int) -> bool:
        while one in parents:
            one = parents[one]
            if one == driver:
                return True
        return False

    return sorted(one for one in named if below(one))


def overhead(root: Path, kind: str, count: int) -> dict[str, Any]:
    """A whole audit with kept features, minus the same verdicts from memory."""
    tell(f"{kind}, {count:,} subjects: list, and the audit that keeps the features")
    with postgres() if kind == "postgres" else nullcontext() as url:
        home = root / f"{kind}-{count}"
        make_home(home, url, root / "testbeds")
        import_list(home, url, count)
        first = step(home, url, "audit", "local", SHARD)
        tell(f"{kind}, {count:,} subjects: the audit that is measured")
        whole = step(home, url, "audit", "local", SHARD)
        tell(f"{kind}, {count:,} subjects: bare scoring")
        bare = step(home, url, "bare")
        sizes = {} if url else bytes_a_row(home)
    return {
        "subjects": count,
        "first_s": first["seconds"],
        "whole_s": whole["seconds"],
        "bare_s": bare["seconds"],
        "overhead_ms": 1000 * (whole["seconds"] - bare["seconds"]) / count,
        "peak_mb": whole["peak_mb"],
        "bytes_a_row": sizes,
    }


def bytes_a_row(home: Path) -> dict[str, float]:
    """Pages of each large table of a SQLite ledger, indexes included, over its rows."""
    pages = _ask(
        home,
        "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name "
        "GROUP BY s.tbl_name",
    )
    found = {}
    for table, size in pages:
        rows = int(_ask(home, f'SELECT count(*) FROM "{table}"')[0][0])
        if rows >= LARGE:
            found[table] = size / rows
    return found


def step(home: Path, url: str | None, *arguments: str) -> dict[str, Any]:
    """Do something in a process of its own; what it told."""
    done = subprocess.run(
        [sys.executable, __file__, "step", *arguments],
        env=environment(home, url),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def step_main(arguments: Sequence[str]) -> None:
    """One process of a measurement."""
    import resource

    from audit_homes import audit_once, score_from_memory

    seconds = score_from_memory() if arguments[0] == "bare" else audit_once(*arguments[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mb": peak}) + "\n")


def written(home: Path) -> int:
    """Verdicts in a home's SQLite ledger; 0 while it is busy."""
    return int(_ask(home, "SELECT count(*) FROM verdicts")[0][0])


def rows_of(home: Path) -> int:
    """Rows of verdicts of its last audit."""
    return int(_ask(home, f"SELECT count(*) FROM verdicts WHERE audit = ({_LAST})")[0][0])


_LAST = "SELECT id FROM audits ORDER BY created_at DESC LIMIT 1"


def _ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    import sqlite3

    opened = sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True, timeout=30)
    try:
        return opened.execute(query).fetchall()
    finally:
        opened.close()


def verdicts(home: Path) -> dict[str, tuple[Any, ...]]:
    """Everything that was said about a text, by text."""
    from flows.machine.home import open_ledger
    from flows.machine.settings import Settings
    from registry.audits.rows import AuditRows

    (audit,) = {row[0] for row in _ask(home, _LAST)}
    with open_ledger(Settings(home=home)) as ledger:
        return {
            one.text: (
                one.verdict.score,
                one.verdict.p_decoy,
                one.verdict.p_gibberish,
                one.verdict.flags,
                one.q_value,
            )
            for one in AuditRows(ledger, audit).findings()
        }


def tell(line: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def shown(found: dict[str, Any]) -> Iterator[str]:
    """The lines of docs/scaling.md."""
    if "killed" in found:
        one = found["killed"]
        yield (
            f"{one['subjects']:,} subjects, {one['workers']} workers, "
            f"{sum(one['kills'].values())} kills ({one['kills']['audits']} of the audit itself): "
            f"{one['lost']} lost, {one['double']} double, {one['unequal']} unequal verdicts; "
            f"{one['seconds']:.0f} s, undisturbed in one process {one['undisturbed_s']:.0f} s"
        )
    for kind in DATABASES:
        rows = sorted(
            (row for name, row in found.items() if name.startswith(f"{kind} ")),
            key=lambda row: int(row["subjects"]),
        )
        for row in rows:
            yield (
                f"{kind}, {row['subjects']:,} subjects: audit {row['whole_s']:.1f} s, bare scoring "
                f"{row['bare_s']:.1f} s, overhead {row['overhead_ms']:.2f} ms a subject, peak "
                f"{row['peak_mb']:.0f} MB (with features to compute {row['first_s']:.1f} s)"
            )
            sizes = ", ".join(f"{table} {size:.0f}" for table, size in row["bytes_a_row"].items())
            yield f"{kind}, {row['subjects']:,} subjects: bytes a row: {sizes or 'not asked'}"
        if len(rows) == 2:
            short, long = rows
            growth = (long["whole_s"] / long["subjects"]) / (short["whole_s"] / short["subjects"])
            yield (
                f"{kind}: time a subject in the longer list x {growth:.2f}, peak "
                f"{long['peak_mb'] - short['peak_mb']:+.0f} MB"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        step_main(sys.argv[2:])
    else:
        main()

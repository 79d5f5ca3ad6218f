"""What becomes of random changes that somebody makes in the ledger's database, without its key.

    python -m benchmarks.tampering --cells 2000 --trail 1000

Cells of every table of a ledger with ended audits are changed one at a time, and everything that
shows a figure is read: each reading must refuse, or give what it gave before. Entries of the audit
trail are changed, removed, added and reordered: `tuni ledger verify` must notice each time. Every
change is taken back before the next one.
"""

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from sqlalchemy import delete, insert, select

from flows.machine.environment import prepare
from flows.machine.settings import Settings
from registry.home import Home
from registry.ledger import schema
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tests.registry.ledger import test_trail as trail_tests
from tuni.errors import TrailBroken

KINDS = (
    trail_tests._change,
    trail_tests._remove,
    trail_tests._remove_and_close_the_gap,
    trail_tests._cut_the_end,
    trail_tests._swap,
    trail_tests._add,
)
ENDINGS = ("refused", "no", "MOVED")


def main() -> None:
    """Tamper and count; exit code 1 where a figure moved or the trail looked sound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--trail", type=int, default=1000, help="changes of the audit trail")
    parser.add_argument("--entries", type=int, default=20, help="how long that trail is")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first change")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tuni-tampering-") as folder:
        bad = _cells(Path(folder) / "cells", asked.seed, asked.cells) if asked.cells else 0
        bad += _trail(Path(folder) / "trail", asked.trail, asked.entries)
    sys.exit(bad > 0)


def _cells(root: Path, seed: int, count: int) -> int:
    """Change cells and print what came of it by table; how many moved a figure."""
    os.environ |= {"TUNI_HOME": str(root / "home"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    (root / "home").mkdir(mode=0o700, parents=True)  # Prefect looks for it when it is imported
    prepare(Settings(home=root / "home"))
    from tests.flows.auditing.test_verify_tampering import make_place, tally

    counts, moved = tally(make_place(root), range(seed, seed + count))
    by_table: dict[str, Counter[str]] = {}
    for (table, ending), number in counts.items():
        by_table.setdefault(table, Counter())[ending] += number
    by_table["all"] = sum(by_table.values(), Counter())
    lines = [f"{'table':<20} {'refused':>8} {'no figure moved':>16} {'moved':>6}"]
    for table, endings in sorted(by_table.items(), key=lambda row: row[0] == "all"):
        refused, same, away = (endings[ending] for ending in ENDINGS)
        lines.append(f"{table:<20} {refused:>8,} {same:>16,} {away:>6,}")
    sys.stdout.write("\n".join([*lines, *moved]) + "\n")
    return len(moved)


def _trail(root: Path, times: int, entries: int) -> int:
    """Tamper with a trail; how often it was not noticed."""
    with Ledger.open(Home.open(root)) as ledger:
        trail = trail_tests.filled(ledger, entries)
        noticed = sum(_noticed(ledger, trail, seed, entries) for seed in range(times))
    sys.stdout.write(f"chain verification: {noticed:,} of {times:,} random tamperings noticed\n")
    return times - noticed


def _noticed(ledger: Ledger, trail: Trail, seed: int, entries: int) -> bool:
    dice = random.Random(seed)
    with ledger.engine.connect() as connection:
        kept = connection.execute(select(schema.trail)).mappings().all()
    with ledger.engine.begin() as connection:
        dice.choice(KINDS)(connection, dice, entries)
    try:
        trail.verify()
    except TrailBroken:
        found = True
    else:
        found = False
    with ledger.engine.begin() as connection:
        connection.execute(delete(schema.trail))
        connection.execute(insert(schema.trail), [dict(row) for row in kept])
    trail.verify()  # so that the next one is noticed for itself
    return found


if __name__ == "__main__":
    main()

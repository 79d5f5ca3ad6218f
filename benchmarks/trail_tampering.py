"""How many random tamperings of the audit trail `tuni ledger verify` notices.

    python -m benchmarks.trail_tampering --times 1000

Every tampering is made in the database itself, without the key, and taken back afterwards.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from sqlalchemy import delete, insert, select

from registry import schema
from registry.home import Home
from registry.ledger import Ledger
from registry.trail import Trail
from tests.registry import test_trail as tests
from tuni.errors import TrailBroken

KINDS = (
    tests._change,
    tests._remove,
    tests._remove_and_close_the_gap,
    tests._cut_the_end,
    tests._swap,
    tests._add,
)


def main() -> None:
    """Tamper and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Home.open(Path(folder))) as ledger:
        trail = tests.filled(ledger, asked.entries)
        noticed = sum(_noticed(ledger, trail, seed, asked.entries) for seed in range(asked.times))
    sys.stdout.write(
        f"chain verification: {noticed:,} of {asked.times:,} random tamperings noticed\n"
    )
    sys.exit(noticed != asked.times)


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

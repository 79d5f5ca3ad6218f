"""How ledger_0002.sql and ledger_0003.sql were made, by the code of their time; never edited.

python tests/golden/make_ledger.py FILE.sql
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np

from registry.audits.audits import Audits, Plan
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Member, Watchlists
from registry.home import Home
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing")


def main(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        home.key_file.write_bytes(bytes(range(32)))
        home.key_file.chmod(0o600)
        with Ledger.open(home) as ledger:
            fill(ledger)
        with sqlite3.connect(home.ledger_file) as connection:
            file.write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
        connection.close()


def fill(ledger: Ledger) -> None:
    ledger.bind_checkpoint("m", "f" * 64, {"folder": "folder"})
    ledger.record_selection("m", 1, NAMES[:1])
    ledger.record_reading("job", "labelled-test")
    ledger.record_move("m", 1, "champion", "first")
    lists, audits = Watchlists(ledger), Audits(ledger)
    lists.add("staff", [Member(name, {"unit": "1"}) for name in NAMES])
    noise = {"noise": np.array([[0.5, 0.25]], np.float32)}
    EncryptedFeatureCache(ledger).put("k", NAMES[:1], noise)
    plan = Plan("m", "f" * 64, 1, "d" * 64, {"list_decoys": True}, 2)
    begun = audits.begin(lists.get("staff"), plan)
    audits.keep_null(begun.id, b"{}")
    rows = AuditRows(ledger, begun.id)
    for shard in rows.shards_left():
        rows.write([KeptVerdict(one.id, 1.5, 0.25, 0.5, "") for one in rows.shard(shard)])
    audits.end(begun.id, "done", {0.25: 0.5}, rows.levels(), {"found": 0})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

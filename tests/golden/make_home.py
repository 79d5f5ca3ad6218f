"""How tests/golden/home was made, by the last commit before packages had rooms; never edited.

In a checkout of that commit, bf00206, whose modules are imported by their names of that time:

python make_home.py FOLDER

The keys in that folder are test keys, made for it alone; they guard nothing.
"""

import os
import sqlite3
import sys
import tempfile
from pathlib import Path

MADE_IN = "{home}"  # stands for the home's folder in what MLflow wrote
NAME = "golden-clip"
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "James Smith", "Madonna", "Zoë Nguyễn")


def main(kept: Path) -> None:
    golden, kept = Path("tests/golden/verdicts").resolve(), kept.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        os.chdir(scratch)  # MLflow writes the folder that it was started in
        os.environ |= {
            "TUNI_HOME": str(home),
            "TUNI_CHECKPOINT": str(golden / "checkpoint"),
            "PREFECT_HOME": str(Path(scratch) / "prefect"),
        }
        kept.mkdir()
        fill(golden, kept / "exported.csv")
        for path in sorted(home.rglob("*")):
            place = kept / path.relative_to(home)
            if path.suffix == ".db":
                with sqlite3.connect(path) as connection:
                    content = "\n".join([*connection.iterdump(), ""]).encode()
                connection.close()
                place = place.with_suffix(".sql")
            elif path.is_file() and path.suffix != ".lock":
                content = path.read_bytes()
            else:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            for folder in (str(home), scratch):
                content = content.replace(folder.encode(), MADE_IN.encode())
            place.write_bytes(content)


def fill(golden: Path, exported: Path) -> None:
    from flows.audit_export import export_audit
    from flows.ledger import open_ledger
    from flows.settings import Settings
    from registry.watchlists import Member, Watchlists

    from flows.audit import audit
    from registry.models import ModelStore

    settings = Settings()
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, None, ledger)
        version = store.register(NAME, golden / "bundle", tags={"job": "0" * 64})
        store.promote(NAME, version.version, "golden")
        Watchlists(ledger).add("staff", [Member(text, {"unit": "1"}) for text in PEOPLE])
    export_audit(audit.fn(NAME, "staff", decoys=20, shard_size=4), settings, out=exported)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

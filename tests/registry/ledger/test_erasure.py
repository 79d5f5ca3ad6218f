import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import func, select, text

from registry.audits.audits import Audits, Plan
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Member, Watchlists
from registry.ledger import schema
from registry.ledger.erasure import Pruned, forget, prune
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.rotation import is_owed, rotate
from registry.ledger.trail import Trail

PLAN = Plan("m", "f" * 64, 1, "d" * 64, {"list_decoys": True}, 4)
ADA = "Ada Lovelace"


def audited(ledger: Ledger) -> str:
    """An ended audit of three people, one of them chosen on, all with features."""
    names = [ADA, "Grace Hopper", "Alan Turing"]
    Watchlists(ledger).add("staff", [Member(name, {"id": "7"}) for name in names])
    EncryptedFeatureCache(ledger).put("k", names, {"noise": np.ones((3, 1), "f4")})
    ledger.record_selection("m", 1, [ADA])
    audit = Audits(ledger).begin(Watchlists(ledger).get("staff"), PLAN)
    rows = AuditRows(ledger, audit.id)
    rows.write([KeptVerdict(one.id, 1.0, 0.25, 0.5, "") for one in rows.shard(0)])
    Audits(ledger).end(audit.id, "done", {0.25: 0.25}, rows.levels(), {"found": 0})
    return audit.id


def count(ledger: Ledger, name: str) -> int:
    table = schema.metadata.tables[name]
    with ledger.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_whoever_is_forgotten_is_gone_from_every_table(any_ledger: Ledger) -> None:
    audit = audited(any_ledger)
    assert forget(any_ledger, ["ADA  lovelace", "Nobody Known"]) == 1
    for table in ("subjects", "watchlist_subjects", "audit_subjects", "verdicts", "features"):
        assert count(any_ledger, table) == 2, table
    assert any_ledger.selected_on("m", 1, [ADA]) == frozenset()
    assert EncryptedFeatureCache(any_ledger).get("k", [ADA]) == {}
    assert ADA not in {row.text for row in AuditRows(any_ledger, audit).findings()}


def test_the_p_values_of_the_others_stay_reproducible(any_ledger: Ledger) -> None:
    audit = audited(any_ledger)
    forget(any_ledger, [ADA])
    assert AuditRows(any_ledger, audit).kept_levels() == {0.25: (3, 0.25)}


def test_the_trail_tells_of_the_erasure_and_of_nobody(any_ledger: Ledger) -> None:
    audited(any_ledger)
    forget(any_ledger, [ADA])
    last = list(Trail(any_ledger).entries())[-1]
    assert (last.action, last.details) == ("subjects erased", {"asked": 1, "erased": 1})
    assert forget(any_ledger, [ADA]) == 0
    Trail(any_ledger).verify()


def test_no_byte_of_the_pseudonym_stays_in_the_file(ledger: Ledger) -> None:
    audited(ledger)
    mark = ledger.keys.pseudonym(ADA).encode()

    def lies_there() -> bool:
        return any(mark in path.read_bytes() for path in ledger.home.root.glob("ledger.db*"))

    assert lies_there()
    forget(ledger, [ADA])
    assert not lies_there()


def test_pruning_takes_old_audits_and_who_is_held_by_nothing(any_ledger: Ledger) -> None:
    audited(any_ledger)
    EncryptedFeatureCache(any_ledger).put("k", ["Loose Decoy"], {"noise": np.ones((1, 1), "f4")})
    later, earlier = (datetime.now(UTC) + timedelta(days=way) for way in (1, -1))
    assert prune(any_ledger, earlier, dry_run=True) == Pruned(0, 1)
    assert prune(any_ledger, later, dry_run=True) == Pruned(1, 1)
    assert count(any_ledger, "audits") == 1
    assert prune(any_ledger, later) == Pruned(1, 1)
    assert [count(any_ledger, name) for name in ("audits", "verdicts", "audit_levels")] == [0, 0, 0]
    assert count(any_ledger, "subjects") == 3
    Watchlists(any_ledger).delete("staff")
    assert prune(any_ledger, later) == Pruned(0, 2)  # one took part in choosing a detector


WRITER = """
import sys
from pathlib import Path
import numpy as np
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.audits import Audits, Plan
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.home import Home
from registry.ledger.ledger import Ledger
from registry.audits.watchlists import Member, Watchlists
plan = Plan("m", "f" * 64, 1, "d" * 64, {}, 1)
with Ledger.open(Home.open(Path(sys.argv[1]), database=sys.argv[2])) as ledger:
    print("open", flush=True)
    lists = Watchlists(ledger)
    for n in range(12):
        names = [f"Person{n} Listed", f"Common Name{n % 3}", f"Decoy{n} Loose"]
        EncryptedFeatureCache(ledger).put("k", names, {"noise": np.ones((3, 1), "f4")})
        lists.add("staff", [Member(name, {}) for name in names[:2]])
        ledger.record_selection("m", n, names[:1])
        rows = AuditRows(ledger, Audits(ledger).begin(lists.get("staff"), plan).id)
        listed = rows.shard(0)
        assert rows.write([KeptVerdict(one.id, 1.0, 0.5, 0.5, "") for one in listed]) == 1
"""


def test_a_job_beside_pruning_loses_nothing(any_ledger: Ledger) -> None:
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WRITER, str(any_ledger.home.root), url]
    loose = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        while writer.poll() is None:
            loose += prune(any_ledger, datetime.now(UTC) - timedelta(days=1)).subjects
            time.sleep(0.01)  # SQLite's lock is for whoever asks when it is free
    assert writer.returncode == 0
    assert loose  # something was let go meanwhile
    held = {one.text for one in Watchlists(any_ledger).members("staff")}
    expected = {f"Person{n} Listed" for n in range(12)} | {f"Common Name{n}" for n in range(3)}
    assert held == expected
    Trail(any_ledger).verify()


def test_nothing_is_kept_of_whoever_was_erased_while_a_job_worked(any_ledger: Ledger) -> None:
    audited(any_ledger)
    names = [ADA, "Grace Hopper"]
    at_work = EncryptedFeatureCache(any_ledger, listed=names)
    forget(any_ledger, [ADA])
    at_work.put("later", [*names, "New Decoy"], {"noise": np.ones((3, 1), "f4")})
    assert set(at_work.get("later", [*names, "New Decoy"])) == {"Grace Hopper", "New Decoy"}
    assert count(any_ledger, "subjects") == 3


def test_an_audit_that_never_ended_is_pruned_unless_somebody_works_on_it(
    any_ledger: Ledger,
) -> None:
    Watchlists(any_ledger).add("staff", [Member(ADA, {})])
    audit = Audits(any_ledger).begin(Watchlists(any_ledger).get("staff"), PLAN)
    later = datetime.now(UTC) + timedelta(days=1)
    with any_ledger.exclusive(f"audit-{audit.id}"):
        assert prune(any_ledger, later).audits == 0
    assert prune(any_ledger, datetime.now(UTC) - timedelta(days=1)).audits == 0
    assert prune(any_ledger, later).audits == 1


def test_a_rotation_stays_owed_until_it_was_done(any_ledger: Ledger) -> None:
    Watchlists(any_ledger).add("staff", [Member(ADA, {})])
    assert not is_owed(any_ledger)
    forget(any_ledger, ["Nobody Known"])
    assert not is_owed(any_ledger)
    forget(any_ledger, [ADA])
    assert is_owed(any_ledger)
    forget(any_ledger, [ADA])  # a repeat, which finds nobody any more
    assert is_owed(any_ledger)
    rotate(any_ledger, lambda _: None)
    assert not is_owed(any_ledger)


def test_sweeping_leaves_the_database_usable(any_ledger: Ledger) -> None:
    forget(any_ledger, [])
    with any_ledger.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1

from dataclasses import replace

import pytest

from registry.audits.audits import Audit, Audits, Plan
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Member, Watchlists
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import AuditNotFound, HomeError

PLAN = Plan("m", "f" * 64, 1, "d" * 64, {"list_decoys": True}, 4)


def begun(ledger: Ledger, count: int = 10) -> Audit:
    lists = Watchlists(ledger)
    lists.add("staff", [Member(f"Person Number{n}", {}) for n in range(count)])
    return Audits(ledger).begin(lists.get("staff"), PLAN)


def verdict(number: int, p: float = 0.5) -> KeptVerdict:
    return KeptVerdict(number, 1.0, p, p, "")


def test_an_audit_freezes_its_list_in_shards(any_ledger: Ledger) -> None:
    audit = begun(any_ledger)
    Watchlists(any_ledger).add("staff", [Member("Late Comer", {})])
    rows = AuditRows(any_ledger, audit.id)
    assert audit.subjects == 10
    assert [len(rows.shard(shard)) for shard in rows.shards_left()] == [4, 4, 2]
    texts = {one.text for block in rows.subjects() for one in block}
    assert texts == {f"Person Number{n}" for n in range(10)}
    assert rows.on_list(["person  number3", "Late Comer"]) == {0}


def test_each_subject_is_written_once_and_the_first_stays(any_ledger: Ledger) -> None:
    rows = AuditRows(any_ledger, begun(any_ledger).id)
    shard = rows.shard(0)
    assert rows.write([verdict(one.id, 0.25) for one in shard[:3]]) == 3
    assert rows.write([verdict(one.id, 0.75) for one in shard]) == 1
    assert rows.levels() == {0.25: 3, 0.75: 1}
    assert rows.shards_left() == (1, 2)
    assert rows.shard(0) == ()
    assert rows.counts() == (10, 4)


def test_those_with_a_flag_are_counted_apart(any_ledger: Ledger) -> None:
    rows = AuditRows(any_ledger, begun(any_ledger).id)
    flags = ("", "selected_on", "common_name selected_on", "selected_once")
    numbers = [one.id for one in rows.shard(0)]
    rows.write(
        [KeptVerdict(n, 1.0, 0.25, 0.5, flag) for n, flag in zip(numbers, flags, strict=True)]
    )
    assert rows.levels("selected_on") == {0.25: 2}
    assert rows.levels() == {0.25: 4}


def test_a_subject_that_is_not_of_the_audit_is_not_written(any_ledger: Ledger) -> None:
    rows = AuditRows(any_ledger, begun(any_ledger).id)
    assert rows.write([verdict(10_000)]) == 0
    assert rows.counts() == (10, 0)


def test_a_series_holds_the_ended_audits_of_list_and_checkpoint_that_give_verdicts(
    any_ledger: Ledger,
) -> None:
    audits, lists = Audits(any_ledger), Watchlists(any_ledger)
    first = begun(any_ledger, 1)
    lists.add("guests", [Member("Late Comer", {})])

    def again(watchlist: str = "staff", checkpoint: str = PLAN.checkpoint) -> Audit:
        return audits.begin(lists.get(watchlist), replace(PLAN, checkpoint=checkpoint))

    withheld, running, elsewhere, other = again(), again(), again("guests"), again("staff", "other")
    for audit, why in ((first, None), (withheld, "spelling"), (elsewhere, None), (other, None)):
        audits.end(audit.id, "done", {}, {}, {"withheld": why})
    last, later = again(), again()
    assert [one.id for one in audits.series(last)] == [first.id, last.id]
    assert [one.id for one in audits.series(first)] == [first.id]
    audits.end(running.id, "partial", {}, {}, {})
    assert [one.id for one in audits.series(later)] == [first.id, running.id, later.id]


def test_findings_carry_the_q_value_of_their_p_value(any_ledger: Ledger) -> None:
    audits = Audits(any_ledger)
    audit = begun(any_ledger, 3)
    rows = AuditRows(any_ledger, audit.id)
    one, two, three = rows.shard(0)
    rows.write([verdict(two.id, 0.1), verdict(one.id, 1 / 3)])
    rows.write([KeptVerdict(three.id, None, None, None, "", "too long")])
    audits.end(audit.id, "done", {0.1: 0.2, 1 / 3: 0.4}, rows.levels(), {"found": 0})
    found = list(rows.findings())
    assert [(row.text, row.q_value) for row in found] == [
        (two.text, 0.2),
        (one.text, 0.4),
        (three.text, None),
    ]
    assert rows.refusals() == {"too long": 1}
    ended = audits.get(audit.id)
    assert (ended.state, ended.summary) == ("done", {"found": 0})
    assert ended.ended_at is not None
    assert rows.kept_levels() == {0.1: (1, 0.2), 1 / 3: (1, 0.4)}


def test_an_unfinished_audit_is_found_only_for_the_same_list_and_plan(any_ledger: Ledger) -> None:
    audits, lists = Audits(any_ledger), Watchlists(any_ledger)
    audit = begun(any_ledger)
    staff = lists.get("staff")
    assert audits.unfinished(staff, PLAN) == audit
    assert audits.unfinished(staff, replace(PLAN, version=2)) is None
    lists.add("staff", [Member("Late Comer", {})])
    assert audits.unfinished(lists.get("staff"), PLAN) is None
    audits.cancel(audit.id)
    assert audits.get(audit.id).state == "cancelled"
    audits.reopen(audit.id)
    assert audits.get(audit.id).state == "running"


def test_the_first_null_is_kept(any_ledger: Ledger) -> None:
    audits = Audits(any_ledger)
    audit = begun(any_ledger)
    assert audits.list_null(audit.id) is None
    assert audits.keep_null(audit.id, b"one") == b"one"
    assert audits.keep_null(audit.id, b"two") == b"one"


def test_unknown_audit_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(AuditNotFound, match="tuni audits list"):
        Audits(ledger).get("nothing")


def test_an_audits_life_stands_in_the_trail(any_ledger: Ledger) -> None:
    audit = begun(any_ledger)
    Audits(any_ledger).cancel(audit.id)
    actions = [entry.action for entry in Trail(any_ledger).entries()]
    assert actions == ["watch list imported", "audit begun", "audit cancelled"]
    Trail(any_ledger).verify()


def test_an_audit_that_was_cancelled_is_not_ended(any_ledger: Ledger) -> None:
    audit = begun(any_ledger)
    audits = Audits(any_ledger)
    audits.cancel(audit.id)
    with pytest.raises(HomeError, match="ended or cancelled by another process"):
        audits.end(audit.id, "done", {}, {}, {})
    assert audits.get(audit.id).state == "cancelled"

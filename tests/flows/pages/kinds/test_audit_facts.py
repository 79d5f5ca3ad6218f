"""What an audit tells others: no small count, nor one that follows from two."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from flows.auditing.outcome import AuditSummary
from flows.auditing.publish import audit_metrics
from flows.pages.kinds.audit_facts import AuditFacts, findings, p_value_table
from registry.audits.audits import Audit
from tuni.statistics.list_evidence import ListEvidence

AUDIT = Audit(
    id="0" * 12, watchlist="staff", checkpoint="m", fingerprint="f" * 64, version=1,
    digest="d" * 64, options={}, state="done", subjects=100, shard_size=10, summary=None,
    run_id=None, created_at=datetime(2026, 1, 1, tzinfo=UTC), ended_at=None,
)  # fmt: skip
NO_LEVELS = MappingProxyType[float, int]({})


def facts(**changes: object) -> AuditFacts:
    values = {"subjects": 100, "judged": 100, "missing": 0, "found": 20, "singled_out": 8}
    values |= {"refused": {}, "operating_point": 0.05, "smallest_findable": 2}
    values |= {"list_decoys": 2000, "withheld": None, "measured_power": None, "evidence": None}
    return AuditFacts.of(AUDIT, AuditSummary(**{**values, **changes}), NO_LEVELS)


def told(**changes: object) -> str:
    return "\n".join(findings(facts(**changes)))


def test_who_is_singled_out_is_told_where_the_others_found_are_many_enough() -> None:
    assert ": 8 of them" in told()
    assert "17" not in told(singled_out=17)
    assert "fewer than 5 of them" in told(singled_out=3)


@pytest.mark.parametrize(("missing", "shown"), [(10, True), (6, False), (3, False)])
def test_missing_subjects_are_counted_where_the_refused_do_not_follow(
    missing: int, shown: bool
) -> None:
    assert (f" {missing} could be scored" in told(judged=90, missing=missing)) == shown


def test_the_expected_findings_do_not_tell_how_many_were_refused() -> None:
    few = facts(subjects=1000, judged=997, operating_point=0.5)
    assert few.judged == "all but fewer than 5"
    assert few.by_chance == facts(subjects=1000, judged=998, operating_point=0.5).by_chance
    assert "list_found_share" not in audit_metrics(few)


def test_metrics_hold_what_the_page_holds_and_no_small_count() -> None:
    seen = ListEvidence(100, 3, 0.07, 0, 3, 0.16, 0.08, 0.25)
    figures = audit_metrics(facts(singled_out=3, evidence=seen))
    assert figures["list_found"] == 20
    assert figures["list_found_share"] == 0.2
    assert not [name for name in figures if "singled_out" in name or "at_least" in name]
    withheld = audit_metrics(facts(withheld="decoys differ"))
    assert withheld["withheld"] == 1
    assert "list_found" not in withheld


def test_later_audits_say_what_looking_again_does() -> None:
    assert "Audit 12 of this list" in told(series=12)
    assert "of this list by this checkpoint" not in told()
    assert "of this list by this checkpoint" not in told(series=12, withheld="decoys differ")


def test_a_withheld_list_gets_no_counts() -> None:
    assert told(withheld="decoys differ from the list") == "All 100 subjects have a verdict."


def test_a_bin_of_few_people_takes_another_with_it() -> None:
    shares = p_value_table({0.01: 50, 0.5: 30, 0.99: 3}).shares
    assert shares.count(None) == 2
    assert 50 / 83 in shares

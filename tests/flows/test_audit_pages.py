"""What an audit's page tells others: no small count, nor one that follows from two."""

from datetime import UTC, datetime

import pytest

from flows.audit_outcome import AuditSummary
from flows.audit_pages import findings, p_value_table
from registry.audits import Audit

AUDIT = Audit(
    id="0" * 12, watchlist="staff", checkpoint="m", fingerprint="f" * 64, version=1,
    digest="d" * 64, options={}, state="done", subjects=100, shard_size=10, summary=None,
    run_id=None, created_at=datetime(2026, 1, 1, tzinfo=UTC), ended_at=None,
)  # fmt: skip


def told(**counts: int) -> str:
    values = {"subjects": 100, "judged": 100, "missing": 0, "found": 20, "singled_out": 8} | counts
    summary = AuditSummary(
        **values, refused={}, operating_point=0.05, smallest_findable=2, list_decoys=2000,
        withheld=None, measured_power=None, evidence=None,
    )  # fmt: skip
    return "\n".join(findings(AUDIT, summary))


def test_who_is_singled_out_is_told_where_the_others_found_are_many_enough() -> None:
    assert ": 8 of them" in told()
    assert "17" not in told(singled_out=17)
    assert "fewer than 5 of them" in told(singled_out=3)


@pytest.mark.parametrize(("missing", "shown"), [(10, True), (6, False), (3, False)])
def test_missing_subjects_are_counted_where_the_refused_do_not_follow(
    missing: int, shown: bool
) -> None:
    assert (f" {missing} could be scored" in told(judged=90, missing=missing)) == shown


def test_a_bin_of_few_people_takes_another_with_it() -> None:
    shares = p_value_table({0.01: 50, 0.5: 30, 0.99: 3}).shares
    assert sum(share != share for share in shares) == 2  # NaN
    assert 50 / 83 in shares

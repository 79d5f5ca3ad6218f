"""An exported audit: its verdicts by name, and a p over all audits of the list so far."""

import csv
from pathlib import Path

import pytest

from flows.auditing.export import export_audit
from flows.auditing.outcome import AuditSummary
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.audits import Audits, Plan
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Member, Watchlists
from registry.ledger.ledger import Ledger

PLAN = Plan("m", "f" * 64, 1, "d" * 64, {"list_decoys": True}, 4)
SUMMARY = AuditSummary(
    subjects=2, judged=2, refused={}, missing=0, found=1, singled_out=0, operating_point=0.05,
    smallest_findable=2, list_decoys=200, withheld=None, measured_power=None,
)  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def ended(ledger: Ledger, p_values: dict[str, float], withheld: str | None = None) -> str:
    """An ended audit of the list with these p-values by text; its id."""
    audit = Audits(ledger).begin(Watchlists(ledger).get("staff"), PLAN).id
    rows = AuditRows(ledger, audit)
    rows.write(
        KeptVerdict(one.id, 1.0, p_values[one.text], 0.5, "")
        for block in rows.subjects()
        for one in block
    )
    q = dict.fromkeys(p_values.values(), 0.5)
    summary = SUMMARY.record() | {"withheld": withheld}
    Audits(ledger).end(audit, "done", q, rows.levels(), summary)
    return audit


def exported(audit: str, settings: Settings, out: Path) -> dict[str, tuple[str, str, str]]:
    export_audit(audit, settings, out=out)
    with out.open(encoding="utf-8", newline="") as table:
        return {
            row["text"]: (row["p_decoy"], row["p_series"], row["audits"])
            for row in csv.DictReader(table)
        }


def test_a_series_is_taken_together_beside_each_audits_own_p(
    settings: Settings, tmp_path: Path
) -> None:
    with open_ledger(settings) as ledger:
        Watchlists(ledger).add("staff", [Member(text, {}) for text in ("Ada Roe", "Bo Tarn")])
        first = ended(ledger, {"Ada Roe": 0.01, "Bo Tarn": 0.5})
        ended(ledger, {"Ada Roe": 0.5, "Bo Tarn": 0.5 / 2}, withheld="spelling tells")
        last = ended(ledger, {"Ada Roe": 0.02, "Bo Tarn": 0.04})
    assert exported(first, settings, tmp_path / "first.csv") == {
        "Ada Roe": ("0.01", "0.01", "1"),
        "Bo Tarn": ("0.5", "0.5", "1"),
    }
    assert exported(last, settings, tmp_path / "last.csv") == {
        "Ada Roe": ("0.02", "0.03", "2"),
        "Bo Tarn": ("0.04", "0.54", "2"),
    }
    with open_ledger(settings) as ledger:
        silent = ended(ledger, {"Ada Roe": 0.1, "Bo Tarn": 0.2}, withheld="spelling tells")
    assert exported(silent, settings, tmp_path / "silent.csv") == {
        "Ada Roe": ("", "", ""),
        "Bo Tarn": ("", "", ""),
    }

"""Audits as several tests begin and read them; the list is called staff."""

from flows.auditing.engines.engine import LocalEngine
from flows.auditing.null import null_of_audit
from flows.auditing.shards import ShardWorker
from flows.machine.settings import Settings
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits, Plan
from registry.audits.rows import AuditRows
from registry.audits.watchlists import Watchlists
from registry.ledger.ledger import Ledger
from tests.flows.conftest import NAME
from tuni import __version__

LIST = "staff"


def interrupted(
    settings: Settings, ledger: Ledger, *, decoys: int = 200, shard_size: int = 5, shards: int = 2
) -> Audit:
    """An audit by the champion that was stopped after so many shards, as Ctrl-C would."""
    detector = Detector.open(ledger, settings, NAME, "champion")
    version = detector.version
    options = {"list_decoys": True, "decoys": decoys, "dependence": "bh", "tuni": __version__}
    fingerprint, digest = detector.bundle.fingerprint, version.tags["digest"]
    plan = Plan(NAME, fingerprint, version.version, digest, options, shard_size)
    begun = Audits(ledger).begin(Watchlists(ledger).get(LIST), plan)
    worker = ShardWorker(ledger, begun, detector, null_of_audit(ledger, begun, detector))
    LocalEngine(worker).run(AuditRows(ledger, begun.id).shards_left()[:shards], lambda _: None)
    return begun


def verdicts(ledger: Ledger, audit: str) -> dict[str, tuple[object, ...]]:
    """Score, p, q and flags of each text."""
    return {
        row.text: (row.verdict.score, row.verdict.p_decoy, row.q_value, row.verdict.flags)
        for row in AuditRows(ledger, audit).findings()
    }

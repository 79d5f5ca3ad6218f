"""One worker of an audit: judges shards, and writes each verdict once.

The one law: a worker gets numbers and finds the texts in the ledger itself; what it gives back is
numbers too. It judges with what the audit began with, or not at all.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flows.auditing.null import null_of_audit
from flows.machine.guard import guard, report_fault
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows, KeptVerdict, Listed
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from tuni import __version__
from tuni.errors import (
    EnvironmentFault,
    HomeError,
    ProgramFault,
    SpecMismatch,
    TuniError,
    ValueAltered,
)
from tuni.judging.judge import Judge
from tuni.judging.null import ListNull
from tuni.judging.record import Judged

# How often a shard is tried before the audit ends without it.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ShardWorker:
    """Judges shards of one audit.

    Attributes:
        ledger: Open.
        audit: What is done.
        detector: The version that the audit began with.
        null: What the verdicts rest on besides the bundle.
    """

    ledger: Ledger
    audit: Audit
    detector: Detector
    null: ListNull

    @classmethod
    def open(cls, settings: Settings, audit: str) -> "ShardWorker":
        """A worker in a process of its own; the checkpoint is loaded once.

        Raises:
            SpecMismatch: This process runs another version of tuni than the audit began with.
            HomeError: The audit was not prepared, or somebody was erased since.
        """
        ledger = open_ledger(settings)
        entry = Audits(ledger).get(audit)
        if Audits(ledger).list_null(audit) is None:
            raise HomeError(f"audit {audit}: not prepared", f"tuni audits resume {audit}")
        detector = open_detector(ledger, settings, entry)
        return cls(ledger, entry, detector, null_of_audit(ledger, entry, detector))

    def attempt(self, shard: int) -> int | None:
        """Run a shard; None where it failed, which the log tells without any message.

        Raises:
            EnvironmentFault: A fault of the machine or the ledger, which other shards would meet.
        """
        try:
            with guard(f"shard {shard}"):
                return self.run(shard)
        except ProgramFault:  # one bad shard must not end the audit
            return None
        except TuniError as error:
            if isinstance(error, EnvironmentFault) and not isinstance(error, ValueAltered):
                raise
            report_fault(error, f"shard {shard}")
            return None

    def run(self, shard: int) -> int:
        """Judge what a shard still lacks; how many verdicts were written.

        Nothing once the audit is cancelled.
        """
        if Audits(self.ledger).get(self.audit.id).state == "cancelled":
            return 0
        rows = AuditRows(self.ledger, self.audit.id)
        listed = rows.shard(shard)
        if not listed:
            return 0
        texts = [subject.text for subject in listed]
        return rows.write(
            judge_subjects(
                self.detector.judge(EncryptedFeatureCache(self.ledger, listed=texts)),
                listed,
                self.null,
                self.ledger.selected_on(self.audit.checkpoint, self.audit.version, texts),
            )
        )


def judge_subjects(
    judge: Judge, listed: Sequence[Listed], null: ListNull, selected_on: Collection[int] = ()
) -> list[KeptVerdict]:
    """What the ledger keeps of some subjects' verdicts; see `Judge.judge`."""
    return kept_verdicts(
        listed, judge.judge([subject.text for subject in listed], null, selected_on)
    )


def kept_verdicts(listed: Sequence[Listed], judged: Sequence[Judged]) -> list[KeptVerdict]:
    """Verdicts about some subjects as the ledger keeps them."""
    return [
        KeptVerdict(subject.id, said.score, said.p_decoy, said.p_gibberish, " ".join(said.flags))
        for subject, said in zip(listed, judged, strict=True)
    ]


def open_detector(ledger: Ledger, settings: Settings, audit: Audit) -> Detector:
    """The detector that an audit began with, whatever is champion now.

    Raises:
        SpecMismatch: This process runs another version of tuni, or the registered version holds
            another bundle now.
    """
    if audit.options["tuni"] != __version__:
        raise SpecMismatch(
            f"audit {audit.id}: begun with tuni {audit.options['tuni']}, this is {__version__}",
            f"pip install tuni-audit=={audit.options['tuni']}, or begin another audit",
        )
    detector = Detector.open(ledger, settings, audit.checkpoint, audit.version)
    if detector.version.tags["digest"] != audit.digest:
        raise SpecMismatch(
            f"audit {audit.id}: {audit.checkpoint} version {audit.version} is another detector "
            "than the one it began with",
            f"tuni audits cancel {audit.id}, then begin another audit",
        )
    return detector

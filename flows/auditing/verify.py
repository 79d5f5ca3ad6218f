"""Whether an old audit comes out the same when it is computed again.

The one law: nothing cached is believed. Features, decoys, scores and p-values are computed anew
from the list, the kept detector and the seeds, and compared bit for bit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flows.auditing.null import judge_options, make_null
from flows.auditing.outcome import ended_summary
from flows.auditing.shards import judge_subjects, kept_verdicts, open_detector
from flows.machine.console import current_progress
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.machine.show import fields_of
from registry.audits.audits import Audits
from registry.audits.rows import AuditRows, KeptVerdict, Listed
from registry.ledger.trail import Trail
from tuni.judging.judge import Judge
from tuni.judging.null import ListNull
from tuni.judging.record import SELECTED_ON
from tuni.progress import SILENT
from tuni.statistics.p_values import q_values


@dataclass(frozen=True, slots=True)
class Verification:
    """What a second computation came to.

    Attributes:
        audit: The audit's id.
        subjects: Verdicts that were computed again.
        erased: Subjects that were erased since; their p-values are kept unlinked.
        rescored: Whether scores were computed again. Not where subjects were erased and the
            detector corrects for name parts, which takes decoys made of all names.
        null_same: Whether the list's decoys scored the same; None where subjects were erased, since
            the decoys are made of all.
        differing: What differs, to how many subjects.
        q_values_same: Whether the q-values follow from the p-values as they did.
    """

    audit: str
    subjects: int
    erased: int
    rescored: bool
    null_same: bool | None
    differing: dict[str, int]
    q_values_same: bool

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differing and self.null_same is not False and self.q_values_same

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return fields_of(self, same=self.same)

    def text(self) -> str:
        """A few lines for people."""
        words = "the same, bit for bit" if self.same else "NOT the same"
        lines = [f"audit {self.audit}: {self.subjects:,} verdicts computed again, {words}"]
        lines += [f"  {what} differs for {n:,} subjects" for what, n in self.differing.items()]
        if self.null_same is False:
            lines.append("  the list's decoys scored otherwise")
        if not self.q_values_same:
            lines.append("  q-values do not follow from the kept p-values")
        if self.erased:
            lines.append(
                f"  {self.erased:,} subjects were erased since: the others were ranked against "
                "the kept decoys, and q-values over the kept list of p-values"
            )
        if not self.rescored:
            lines.append(
                "  scores were taken as they are kept: the detector corrects for name parts by "
                "decoys made of all names"
            )
        return "\n".join(lines)


def verify_audit(audit_id: str, settings: Settings) -> Verification:
    """Compute an audit again and compare.

    Raises:
        AuditNotFound: There is none of this id.
        RequestError: It has not ended.
        SpecMismatch: It was begun with another version of tuni, or the registered version holds
            another bundle now.
    """
    with open_ledger(settings) as ledger:
        audit = Audits(ledger).get(audit_id)
        ended_summary(audit)
        kept_null = Audits(ledger).list_null(audit_id) or b""
        detector = open_detector(ledger, settings, audit)
        rows = AuditRows(ledger, audit_id)
        listed, written = rows.counts()
        erased = audit.subjects - listed
        null = ListNull.from_json(kept_null.decode())
        null_same = None
        if not erased:
            null = make_null(ledger, audit, detector, fresh=True)
            null_same = null.to_json().encode() == kept_null
        # Decoys of all names tell what a part does, and erased names are in none.
        rescored = not (erased and detector.bundle.corrects)
        differing: Counter[str] = Counter()
        done = 0
        judge = replace(detector.judge(), progress=SILENT)
        with current_progress.get().stage("verify", written) as step:
            for block in rows.subjects():
                kept = rows.kept_verdicts([subject.id for subject in block])
                scored = [who for who in block if who.id in kept and not kept[who.id].refused]
                for again in (
                    judge_subjects(judge, scored, null)
                    if rescored
                    else _ranked_again(judge, scored, kept, null)
                ):
                    differing.update(_differences(kept[again.subject], again))
                done += len(scored)
                step(len(kept))
        levels = rows.kept_levels()
        q = q_values({p: n for p, (n, _) in levels.items()}, judge_options(audit).dependence)
        q_same = all(q[p] == value for p, (_, value) in levels.items())
        found = Verification(audit_id, done, erased, rescored, null_same, dict(differing), q_same)
        Trail(ledger).append("audit verified", audit=audit_id, same=found.same)
        return found


def _ranked_again(
    judge: Judge, scored: Sequence[Listed], kept: Mapping[int, KeptVerdict], null: ListNull
) -> list[KeptVerdict]:
    """Verdicts that follow from kept scores."""
    scores = np.array([kept[who.id].score for who in scored])
    return kept_verdicts(scored, judge.rank([who.text for who in scored], scores, null))


def _differences(kept: KeptVerdict, again: KeptVerdict) -> list[str]:
    """What of a verdict is not the same; who took part in a choice may have grown since."""
    flags = {one for one in kept.flags.split() if one != SELECTED_ON}
    pairs = {
        "score": kept.score == again.score,
        "p_decoy": kept.p_decoy == again.p_decoy,
        "p_gibberish": kept.p_gibberish == again.p_gibberish,
        "flags": flags == set(again.flags.split()),
    }
    return [name for name, equal in pairs.items() if not equal]

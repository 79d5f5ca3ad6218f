"""Two audits of the same people by two checkpoints: who is known more or less than before."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flows.auditing.outcome import ended_summary
from flows.auditing.publish import publish_comparison
from flows.auditing.shards import open_detector
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.evidence import Evidence, library_versions
from flows.pages.kinds.comparison_facts import FEW_PARTS, GATE_LEVEL, ComparisonFacts
from flows.pages.publish import write_report
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.detectors.bundle import Bundle
from tuni.errors import RequestError, SpecMismatch, TooFewTexts
from tuni.files import check_outputs
from tuni.hashing import derive_seed
from tuni.judging.judge import draw
from tuni.judging.null import decoys_needed
from tuni.lists.shape import ListShape
from tuni.lists.writing import write_csv
from tuni.statistics.change import Changes, changes, normal_scores
from tuni.statistics.p_values import Floats, q_values
from tuni.texts.kind import TextKind, text_kind

DECOYS = 2000
COLUMNS = (
    "text", "change", "p_more", "q_more", "p_less", "q_less", "found_first", "found_second",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison came to; holds no text.

    Attributes:
        first: The audit that is compared with.
        second: The later one, or that of another checkpoint.
        subjects: Full names with a score in both.
        decoys: Fresh decoys that both detectors scored.
        operating_point: Rate at which strangers count as changed.
        more: Subjects with p_more at or below it.
        less: Subjects with p_less at or below it.
        more_singled_out: Subjects with q_more at or below it.
        less_singled_out: Subjects with q_less at or below it.
        appeared: Subjects with a finding in the second audit alone.
        vanished: Subjects with a finding in the first audit alone.
        list_more: p of the list being known more as a whole, against the decoys.
        list_less: p of its being known less.
        own_parts: Whether the decoys are made of the list's own name parts alone; else what looks
            like a change of the list may be one of common parts.
        differing: What of the two detectors' specifications differs; a change may then be theirs.
    """

    first: str
    second: str
    subjects: int
    decoys: int
    operating_point: float
    more: int
    less: int
    more_singled_out: int
    less_singled_out: int
    appeared: int
    vanished: int
    list_more: float
    list_less: float
    own_parts: bool = True
    differing: tuple[str, ...] = ()

    @property
    def gate_shut(self) -> bool:
        """Whether the list as a whole is known more than before, at one per cent."""
        return self.list_more <= GATE_LEVEL

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        names = self.__dataclass_fields__
        told = {name: getattr(self, name) for name in names}
        return told | {"differing": list(self.differing), "gate_shut": self.gate_shut}

    def text(self) -> str:
        """A few lines for people."""
        chance = self.operating_point * self.subjects
        point = f"{self.operating_point:g}"
        fields = ", ".join(self.differing)
        notes = [f"  the detectors differ ({fields}): a change may be theirs"] if fields else []
        if not self.own_parts:
            notes.append(f"  {FEW_PARTS}")
        return "\n".join(
            [
                f"{self.subjects:,} subjects in audits {self.first} and {self.second}, against "
                f"{self.decoys:,} decoys that both detectors scored",
                f"  known more by the second (p <= {point}): {self.more:,}, singled out "
                f"{self.more_singled_out:,}",
                f"  known less by the second (p <= {point}): {self.less:,}, singled out "
                f"{self.less_singled_out:,}",
                f"  about {chance:.0f} each by chance, were nobody known more or less than before",
                f"  findings that appeared: {self.appeared:,}; that vanished: {self.vanished:,}",
                f"  the list as a whole: p = {self.list_more:.3g} for more, "
                f"{self.list_less:.3g} for less",
                *notes,
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One audit's scores of the common subjects, and its finding of each."""

    scores: Floats
    found: np.ndarray[Any, np.dtype[np.bool_]]


def compare_audits(
    first: str,
    second: str,
    settings: Settings,
    *,
    out: Path | None = None,
    report: Path | None = None,
    evidence: Path | None = None,
    gate: bool = False,
) -> Comparison:
    """Compare two ended audits that share subjects.

    Args:
        first: Id of the audit to compare with.
        second: Id of the later one, or that of another checkpoint.
        settings: Of this machine.
        out: CSV of the changes by name, or None.
        report: Page without names, or None.
        evidence: All that the page says as a file, or None.
        gate: Refuse detectors of different specifications: a gate would answer for them too.

    Raises:
        AuditNotFound: There is none of such an id.
        SpecMismatch: The specifications differ, and a gate was asked for.
        RequestError: One has not ended, gives no verdicts, or both are the same.
        TooFewTexts: They share nobody with a full name, or too few for a gate.
    """
    check_outputs(out=out, report=report, evidence=evidence)
    with open_ledger(settings) as ledger:
        audits = [_ended(ledger, name) for name in (first, second)]
        detectors, differing = _detectors(ledger, settings, audits, gate=gate)
        numbers, sides = _common(ledger, audits, text_kind(detectors[0].bundle.kind))
        if not len(numbers):
            raise TooFewTexts(
                f"audits {first} and {second}: share no full name that both judged",
                "audit one watch list by both checkpoints: tuni audit --watchlist NAME",
            )
        point = max(detector.bundle.operating_point for detector in detectors)
        nulls, own_parts = _paired_null(ledger, audits, detectors, set(numbers), point)
        if gate and not own_parts:
            raise TooFewTexts(
                f"audits {first} and {second}: {FEW_PARTS}",
                "compare longer lists, or leave the gate out",
            )
        # By detector: scores of the common subjects, and of the decoys.
        before, after = (
            [normal_scores(some, detector.bundle.pair.decoy_scores) for some in (side.scores, null)]
            for detector, side, null in zip(detectors, sides, nulls, strict=True)
        )
        changed = changes(before[0], after[0], before[1], after[1])
        q_more, q_less = _q(changed.p_more), _q(changed.p_less)
        result = Comparison(
            first=first,
            second=second,
            subjects=len(numbers),
            decoys=len(nulls[0]),
            operating_point=point,
            more=int((changed.p_more <= point).sum()),
            less=int((changed.p_less <= point).sum()),
            more_singled_out=int((q_more <= point).sum()),
            less_singled_out=int((q_less <= point).sum()),
            appeared=int((sides[1].found & ~sides[0].found).sum()),
            vanished=int((sides[0].found & ~sides[1].found).sum()),
            list_more=changed.list_more,
            list_less=changed.list_less,
            own_parts=own_parts,
            differing=differing,
        )
        if out is not None:
            write_csv(out, COLUMNS, _rows(ledger, first, numbers, sides, changed, q_more, q_less))
        facts = ComparisonFacts.of(
            audits[0], audits[1], result.record(), changed.change, after[1] - before[1]
        )
        shown = _evidence(audits, facts)
        write_report(shown, evidence, report)
        publish_comparison(ledger, settings, shown, detectors[1].bundle.feature_spec.hash)
        Trail(ledger).append("audits compared", first=first, second=second, subjects=len(numbers))
        return result


def _detectors(
    ledger: Ledger, settings: Settings, audits: Sequence[Audit], *, gate: bool
) -> tuple[list[Detector], tuple[str, ...]]:
    """The two detectors, and what of their specifications differs."""
    first, second = (audit.id for audit in audits)
    if first == second:
        raise RequestError("audits: the same one twice", "name two: tuni audits list")
    # Each checkpoint is found where the ledger knows it; one setting cannot name two.
    alone = settings.model_copy(update={"checkpoint": None})
    detectors = [open_detector(ledger, alone, audit) for audit in audits]
    differing = differences(detectors[0].bundle, detectors[1].bundle)
    if gate and differing:
        raise SpecMismatch(
            f"{', '.join(differing)}: differ between the detectors of audits {first} and "
            f"{second}, so the gate would answer for detectors and not for checkpoints",
            "tuni run for both checkpoints, the requests equal but for the checkpoint and with "
            'search.objective = "none"; then audit again',
        )
    return detectors, differing


def _evidence(audits: Sequence[Audit], facts: ComparisonFacts) -> Evidence:
    first, second = audits
    return Evidence(
        facts,
        command=f"tuni compare {first.id} {second.id}",
        settings={"decoys": str(DECOYS), "gate_level": f"{GATE_LEVEL:g}"},
        versions=library_versions(),
        inputs={"bundle, first": first.digest, "bundle, second": second.digest},
    )


def differences(first: Bundle, second: Bundle) -> tuple[str, ...]:
    """Fields of the feature and the detector specification in which two bundles differ."""
    fields = first.feature_spec.__dataclass_fields__
    found = [
        f"feature_spec.{name}"
        for name in fields
        if getattr(first.feature_spec, name) != getattr(second.feature_spec, name)
    ]
    if first.settings["detector"] != second.settings["detector"]:
        found.append("detector")
    return tuple(found)


def _ended(ledger: Ledger, name: str) -> Audit:
    audit = Audits(ledger).get(name)
    if ended_summary(audit).withheld:
        raise RequestError(
            f"audit {name}: its verdicts are withheld, so they cannot be compared",
            f"tuni audits show {name} tells why",
        )
    return audit


def _common(ledger: Ledger, audits: list[Audit], kind: TextKind) -> tuple[list[int], list[_Side]]:
    """Numbers of the subjects that both judged by full name, and what each said of them."""
    rows = [AuditRows(ledger, one.id) for one in audits]
    for one in rows:
        one.counts()  # refuses where verdicts are missing: their subjects would be left out
    numbers: list[int] = []
    scores: list[list[float]] = [[], []]
    found: list[list[bool]] = [[], []]
    points = [float((one.summary or {})["operating_point"]) for one in audits]
    for block in rows[0].subjects():
        full = [one.id for one in block if kind.has_parts(one.text)]
        kept = [one.kept_verdicts(full) for one in rows]
        for number in full:
            pair = [one.get(number) for one in kept]
            if any(one is None or one.p_decoy is None or one.score is None for one in pair):
                continue
            numbers.append(number)
            for side, verdict in enumerate(pair):
                if verdict is not None and verdict.score is not None:
                    scores[side].append(verdict.score)
                    found[side].append((verdict.p_decoy or 0.0) <= points[side])
    return numbers, [
        _Side(np.array(scores[side]), np.array(found[side], dtype=np.bool_)) for side in (0, 1)
    ]


def _paired_null(
    ledger: Ledger, audits: list[Audit], detectors: list[Detector], numbers: set[int], point: float
) -> tuple[list[Floats], bool]:
    """Scores of fresh decoys by both detectors: made of the common names, and on neither list.

    Of the list's own parts alone, where these make enough for a p at the operating point: were
    common parts among them, and known less by the second checkpoint, then 10 to 20 innocent names
    would count as known more in 5 to 10 % of cases instead of 1, longer lists more often still.

    Returns:
        The scores by detector, and whether they are of own parts alone.
    """
    rows = [AuditRows(ledger, one.id) for one in audits]

    def texts() -> Iterator[str]:
        for block in rows[0].subjects():
            yield from (one.text for one in block if one.id in numbers)

    def on_list(drawn: Any) -> frozenset[int]:  # Any: a sequence of texts
        return rows[0].on_list(drawn) | rows[1].on_list(drawn)

    # Another seed than a list's own decoys have: those were ranked against already.
    seed = derive_seed(derive_seed(0, "paired null"), audits[0].watchlist)
    judges = [detector.judge(EncryptedFeatureCache(ledger)) for detector in detectors]
    kind = judges[0].kind
    shape = ListShape.of(texts(), kind)
    for own_parts in (True, False):
        decoys = draw(shape, kind, DECOYS, seed, on_list, paired=True, own_parts=own_parts)
        for judge in judges:
            decoys = judge.fitting(decoys)
        if len(decoys) >= decoys_needed(point):
            return [judge.score_decoys(decoys, paired=True)[1] for judge in judges], own_parts
    raise TooFewTexts("decoys: too few can be made of the common names", "compare longer lists")


def _q(p: Floats) -> Floats:
    q = q_values(Counter(p.tolist()))
    return np.array([q[value] for value in p.tolist()])


def _rows(
    ledger: Ledger,
    audit: str,
    numbers: list[int],
    sides: list[_Side],
    found: Changes,
    q_more: Floats,
    q_less: Floats,
) -> Iterator[dict[str, object]]:
    place = {number: row for row, number in enumerate(numbers)}
    for block in AuditRows(ledger, audit).subjects():
        for one in block:
            row = place.get(one.id)
            if row is not None:
                yield {
                    "text": one.text,
                    "change": float(found.change[row]),
                    "p_more": float(found.p_more[row]),
                    "q_more": float(q_more[row]),
                    "p_less": float(found.p_less[row]),
                    "q_less": float(q_less[row]),
                    "found_first": bool(sides[0].found[row]),
                    "found_second": bool(sides[1].found[row]),
                }

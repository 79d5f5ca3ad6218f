"""The null of an audit's list: made once, kept, and made again where it holds more than is kept."""

from collections.abc import Iterator
from dataclasses import replace

from flows.machine.console import current_progress
from flows.scoring.detector import Detector
from registry.audits.audits import Audit, Audits
from registry.audits.rows import AuditRows, KeptVerdict
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from tuni.errors import HomeError, TextError
from tuni.judging.fits import Repeats
from tuni.judging.null import JudgeOptions, ListNull
from tuni.lists.shape import ListShape


def null_of_audit(ledger: Ledger, begun: Audit, detector: Detector) -> ListNull:
    """The null of an audit's list; who cannot be scored is written down.

    The effects of name parts, which some detectors need, are not kept: they would tell whose parts
    are on the list. They are fitted again, on the same decoys, whose features are kept.

    Raises:
        TextError: Nobody on the list can be scored.
        HomeError: The list gives other decoys than it did, since somebody was erased meanwhile.
    """
    audits = Audits(ledger)
    kept = audits.list_null(begun.id)
    if kept is not None and not detector.bundle.corrects:
        return ListNull.from_json(kept.decode())
    made = make_null(ledger, begun, detector)
    content = made.to_json().encode()
    if kept is None:
        kept = audits.keep_null(begun.id, content)
    if kept != content:
        raise HomeError(
            f"audit {begun.id}: somebody was erased since it began, and its decoys were made of "
            "all names",
            f"tuni audits cancel {begun.id}, then begin another audit",
        )
    return made


def make_null(ledger: Ledger, begun: Audit, detector: Detector, *, fresh: bool = False) -> ListNull:
    """Make the null of an audit's list from its texts, streamed.

    Args:
        ledger: Holds the list.
        begun: The audit.
        detector: Judges it.
        fresh: Compute every feature, whether it is kept or not.

    Raises:
        TextError: Nobody on the list can be scored.
    """
    rows = AuditRows(ledger, begun.id)
    judge = detector.judge(None if fresh else EncryptedFeatureCache(ledger))
    judge = replace(judge, progress=current_progress.get())

    def scorable() -> Iterator[str]:
        repeats = Repeats(judge.target)
        for block in rows.subjects():
            texts = [subject.text for subject in block]
            bad = repeats.among(texts) | judge.unscorable(texts)
            rows.write(
                [KeptVerdict(block[row].id, None, None, None, "", why) for row, why in bad.items()]
            )
            yield from (subject.text for row, subject in enumerate(block) if row not in bad)

    shape, options = ListShape.of(scorable(), judge.kind), judge_options(begun)
    if not shape.size:
        raise TextError(
            f"watch list {begun.watchlist}: nobody on it can be scored by {begun.checkpoint}",
            f"tuni audits show {begun.id} tells why; or import other spellings",
        )
    return judge.null_of(judge.draw_decoys(shape, options, rows.on_list), options)


def judge_options(begun: Audit) -> JudgeOptions:
    """How an audit's list is judged."""
    asked = begun.options
    return JudgeOptions(asked["list_decoys"], asked["decoys"], asked["dependence"])

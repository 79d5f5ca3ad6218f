"""From a bundle, a checkpoint and a list of texts to verdicts.

The one law: a verdict depends on the text, the bundle and the set of texts in the list (through
the list's null and how many p-values it has of each size), never on the order of the rows, the
blocks they are judged in, the clock or the machine's key.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tuni.detectors.bundle import Bundle
from tuni.errors import FingerprintMismatch, TextError
from tuni.features.extract import FeatureCache
from tuni.judging.fits import refuse, unscorable
from tuni.judging.null import JudgeOptions as JudgeOptions
from tuni.judging.null import ListNull, foreign_kind, list_null, p_values
from tuni.judging.scores import KeptFeatures, text_scores
from tuni.lists.shape import ListShape
from tuni.model.target import Target
from tuni.progress import SILENT, Progress
from tuni.statistics.p_values import WITHHELD, q_values, verdict_words
from tuni.statistics.spelling import DecoyCheck
from tuni.texts.names import is_common, parse_name
from tuni.texts.text import canonical, clean_text

SHORT_LIST = 20
# Texts whose features are held at once: as many as an extraction holds columns of.
BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Judged:
    """What one text's block says of it; the rest of a verdict needs the whole list.

    Attributes:
        score: Higher is nearer to "trained on"; comparable within one bundle only.
        p_decoy: The larger of the conformal p-values against the bundle's and the list's decoys.
        p_gibberish: Conformal p against gibberish: a ranking, never an accusation.
        flags: What a reader must know beside it, sorted.
    """

    score: float
    p_decoy: float
    p_gibberish: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said about one text.

    Attributes:
        text: The text as it came.
        score: Higher is nearer to "trained on"; comparable within one bundle only.
        p_decoy: The larger of the conformal p-values against the bundle's and the list's decoys.
        p_gibberish: Conformal p against gibberish: a ranking, never an accusation.
        q_value: The p-value adjusted over the list.
        verdict: Words of `tuni.statistics.p_values`.
        flags: What a reader must know beside it, sorted.
    """

    text: str
    score: float
    p_decoy: float
    p_gibberish: float
    q_value: float
    verdict: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts about a list, in its order, and what they rest on.

    Attributes:
        rows: One per text.
        operating_point: p at or below which a text gets a finding.
        model_version: Registered version of the bundle, or ``""`` for one that is not registered.
        fingerprint: Of the audited checkpoint.
        decoys: Decoys recombined from the list; 0 where they were turned off.
        smallest_findable: Members that the list must hold for any q to fall to .05.
        check: Decoys against the list by text statistics alone; None without list decoys.
        withheld: Why no verdict is given, or None.
    """

    rows: tuple[Verdict, ...]
    operating_point: float
    model_version: str
    fingerprint: str
    decoys: int
    smallest_findable: int
    check: DecoyCheck | None
    withheld: str | None

    def records(self) -> list[dict[str, str | float | None]]:
        """One flat record per text; where verdicts are withheld there is neither p nor q."""
        return [
            {
                "text": row.text,
                "score": row.score,
                "p_decoy": None if self.withheld else row.p_decoy,
                "p_gibberish": row.p_gibberish,
                "q_value": None if self.withheld else row.q_value,
                "verdict": row.verdict,
                "operating_point": self.operating_point,
                "flags": " ".join(row.flags),
                "model_version": self.model_version,
                "fingerprint": self.fingerprint,
            }
            for row in self.rows
        ]

    def counts(self) -> dict[str, int]:
        """How many texts got which verdict."""
        return dict(Counter(row.verdict for row in self.rows))


def judge_block(
    bundle: Bundle,
    target: Target,
    texts: Sequence[str],
    null: ListNull,
    *,
    selected_on: Collection[int] = (),
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> tuple[Judged, ...]:
    """Judge some texts of a list against its null, in memory that the block alone decides.

    Args:
        bundle: The one that the null was made with.
        target: Its checkpoint.
        texts: Texts of the list that `unscorable` names no reason for; the caller sees to it.
        null: Of the whole list.
        selected_on: Rows of the block whose text took part in choosing the bundle.
        cache: Keeps the features of the texts between calls.
        progress: Draws the stages.

    Returns:
        One per text, in order; each depends on its text, the bundle and the null alone.

    Raises:
        FingerprintMismatch: The checkpoint is not the bundle's.
        TextError: A text is refused, or of a kind that the null was made without.
    """
    require_checkpoint(bundle, target)
    single = np.array([not parse_name(text).last for text in texts], dtype=bool)
    scores = np.empty(len(texts))
    for paired, scorer in ((True, bundle.pair), (False, bundle.single)):
        rows = np.flatnonzero(single != paired).tolist()
        if not rows:
            continue
        if scorer is None:
            raise foreign_kind(rows)
        scores[rows] = text_scores(
            bundle,
            target,
            [texts[row] for row in rows],
            scorer,
            paired=paired,
            cache=cache,
            progress=progress,
        )
    p_decoy, p_gibberish = (found.tolist() for found in p_values(bundle, null, scores, single))
    shared = {kind: _shared_flags(bundle, null, single=kind) for kind in (True, False)}
    chosen = frozenset(selected_on)
    return tuple(
        Judged(
            score,
            p_decoy[row],
            p_gibberish[row],
            _flags(shared[kind], texts[row], selected=row in chosen),
        )
        for row, (score, kind) in enumerate(zip(scores.tolist(), single.tolist(), strict=True))
    )


def judge(
    bundle: Bundle,
    target: Target,
    texts: Sequence[str],
    options: JudgeOptions,
    *,
    model_version: str = "",
    selected_on: Collection[int] = (),
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
    block: int = BLOCK,
) -> Verdicts:
    """Give a verdict for each text of a list in memory.

    Args:
        bundle: Detector, calibration scores and spec.
        target: The checkpoint that the bundle was made for.
        texts: The list, at least one text; duplicates get equal verdicts.
        options: See `JudgeOptions`.
        model_version: Registered version, copied into the result.
        selected_on: Rows whose text took part in choosing the bundle; they are flagged.
        cache: Keeps the features of the list's texts between calls.
        progress: Draws the stages.
        block: Distinct texts that are judged at once; moves no verdict.

    Raises:
        FingerprintMismatch: The checkpoint is not the bundle's.
        TextError: A text cannot be scored (rows named).
        TooFewTexts: The list's decoys are too few for the bundle's operating point.
    """
    require_checkpoint(bundle, target)
    if not texts:
        raise TextError("subjects: the list is empty", "give at least one text")
    refuse(unscorable(target, texts, bundle))
    keys = [canonical(text) for text in texts]
    # One spelling per person, chosen by content, so that the order of the rows moves nothing.
    spelled: dict[str, str] = {}
    for key, text in zip(keys, texts, strict=True):
        spelled[key] = min(spelled.get(key, clean_text(text)), clean_text(text))
    people = sorted(spelled)
    spellings = [spelled[key] for key in people]
    # The first block, of most lists the only one, is extracted together with the decoys.
    kept = KeptFeatures(cache)
    null = list_null(
        bundle,
        target,
        ListShape.of(spellings),
        options,
        on_list=lambda drawn: [row for row, one in enumerate(drawn) if canonical(one) in spelled],
        beside=spellings[:block],
        cache=kept,
        progress=progress,
    )
    judged: dict[str, Judged] = {}
    for start in range(0, len(people), block):
        some = slice(start, start + block)
        rows = judge_block(
            bundle,
            target,
            spellings[some],
            null,
            cache=cache if start else kept,
            progress=progress,
        )
        judged |= zip(people[some], rows, strict=True)
    q = q_values(Counter(one.p_decoy for one in judged.values()), options.dependence)
    words = verdict_words([judged[key].p_decoy for key in keys], bundle.operating_point)
    chosen, chosen_flag = frozenset(selected_on), ("selected_on",)
    return Verdicts(
        rows=tuple(
            Verdict(
                text=text,
                score=judged[key].score,
                p_decoy=judged[key].p_decoy,
                p_gibberish=judged[key].p_gibberish,
                q_value=q[judged[key].p_decoy],
                verdict=WITHHELD if null.withheld else words[row],
                flags=tuple(sorted({*judged[key].flags, *(chosen_flag if row in chosen else ())})),
            )
            for row, (key, text) in enumerate(zip(keys, texts, strict=True))
        ),
        operating_point=bundle.operating_point,
        model_version=model_version,
        fingerprint=bundle.fingerprint,
        decoys=null.decoys,
        smallest_findable=null.smallest_findable,
        check=null.check,
        withheld=null.withheld,
    )


def require_checkpoint(bundle: Bundle, target: Target) -> None:
    """Refuse a checkpoint that the bundle was not made for.

    Raises:
        FingerprintMismatch: It is another.
    """
    if target.fingerprint != bundle.fingerprint:
        raise FingerprintMismatch(
            f"checkpoint: fingerprint {target.fingerprint[:12]}, but the detector was made for "
            f"{bundle.fingerprint[:12]}",
            "give the checkpoint that the detector was registered for, or run `tuni run` on it",
        )


def _shared_flags(bundle: Bundle, null: ListNull, *, single: bool) -> tuple[str, ...]:
    """What a reader must know of every text of a kind, sorted."""
    group = null.single if single else null.pair
    told = {
        "gate_failed": bool(bundle.evidence.get("withheld")),
        "no_list_decoys": not null.list_decoys,
        "one_part": single,
        "short_list": group is not None and group.size < SHORT_LIST,
        "spelling_tells": null.withheld is not None,
    }
    return tuple(flag for flag, holds in told.items() if holds)


def _flags(shared: tuple[str, ...], text: str, *, selected: bool) -> tuple[str, ...]:
    """What a reader must know of a text, sorted."""
    told = {"common_name": is_common(parse_name(text)), "selected_on": selected}
    own = [flag for flag, holds in told.items() if holds]
    return tuple(sorted((*shared, *own))) if own else shared

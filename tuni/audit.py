"""From a bundle, a checkpoint and a list of texts to verdicts.

The one law: a verdict depends on the text, the bundle and the set of texts in the list (through
the list's own decoys), never on the order of the rows, the clock or the machine's key.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuni.bank import Bank
from tuni.blind import DecoyCheck, decoy_check
from tuni.bundle import Bundle, Scorer
from tuni.decoys import PartPool, lone_parts, recombine_around
from tuni.errors import FingerprintMismatch, TextError, TooFewTexts
from tuni.features import FeatureCache, extract
from tuni.names import is_common, parse_name
from tuni.progress import SILENT, Progress
from tuni.scorable import refuse, too_long, unscorable
from tuni.scoring import ArrayModel, score
from tuni.seeds import derive_seed
from tuni.spec import Family, family_of
from tuni.target import Target
from tuni.texts import canonical, clean_text
from tuni.verdicts import (
    WITHHELD,
    benjamini_hochberg,
    benjamini_yekutieli,
    conformal_p,
    quantise,
    smallest_findable,
    verdict_words,
)

SHORT_LIST = 20
LEAST_DECOYS = 2000
MOST_DECOYS = 20_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a list is judged.

    Attributes:
        list_decoys: Also rank each text among decoys recombined from the list's own parts.
        decoy_count: Decoys to recombine; None takes 5 a text, at least 2,000, at most 20,000.
        dependence: Correction behind the q-values: Benjamini-Hochberg or -Yekutieli.
    """

    list_decoys: bool = True
    decoy_count: int | None = None
    dependence: Literal["bh", "by"] = "bh"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said about one text.

    Attributes:
        text: The text as it came.
        score: Higher is nearer to "trained on"; comparable within one bundle only.
        p_decoy: The larger of the conformal p-values against the bundle's and the list's decoys.
        p_gibberish: Conformal p against gibberish: a ranking, never an accusation.
        q_value: The p-value adjusted over the list.
        verdict: Words of `tuni.verdicts`.
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

    def records(self) -> list[dict[str, str | float]]:
        """One flat record per text, with the columns of the verdicts' CSV."""
        return [
            {
                "text": row.text,
                "score": row.score,
                "p_decoy": row.p_decoy,
                "p_gibberish": row.p_gibberish,
                "q_value": row.q_value,
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


def families_of(model: ArrayModel) -> frozenset[Family]:
    """The feature families that a detector reads."""
    return frozenset(family_of(name) for name in model.needed)


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
) -> Verdicts:
    """Give a verdict for each text of a list.

    Args:
        bundle: Detector, calibration scores and spec.
        target: The checkpoint that the bundle was made for.
        texts: The list, at least one text; duplicates get equal verdicts.
        options: See `JudgeOptions`.
        model_version: Registered version, copied into the result.
        selected_on: Rows whose text took part in choosing the bundle; they are flagged.
        cache: Keeps the features of the list's texts between calls.
        progress: Draws the stages.

    Raises:
        FingerprintMismatch: The checkpoint is not the bundle's.
        TextError: A text cannot be scored (rows named).
        TooFewTexts: The list's decoys are too few for the bundle's operating point.
    """
    if target.fingerprint != bundle.fingerprint:
        raise FingerprintMismatch(
            f"checkpoint: fingerprint {target.fingerprint[:12]}, but the detector was made for "
            f"{bundle.fingerprint[:12]}",
            "give the checkpoint that the detector was registered for, or run `tuni run` on it",
        )
    if not texts:
        raise TextError("subjects: the list is empty", "give at least one text")
    refuse(unscorable(target, texts, bundle))
    keys = [canonical(text) for text in texts]
    # One spelling per person, chosen by content, so that the order of the rows moves nothing.
    spelled: dict[str, str] = {}
    for key, text in zip(keys, texts, strict=True):
        spelled[key] = min(spelled.get(key, clean_text(text)), clean_text(text))
    distinct = dict(sorted(spelled.items()))
    pairs = {key: text for key, text in distinct.items() if parse_name(text).last}
    lone = {key: text for key, text in distinct.items() if key not in pairs}
    judged: dict[str, _Judged] = {}
    check: DecoyCheck | None = None
    decoys = 0
    wanted = options.decoy_count or min(MOST_DECOYS, max(LEAST_DECOYS, 5 * len(distinct)))
    for group, scorer in ((pairs, bundle.pair), (lone, bundle.single)):
        if not group or scorer is None:
            continue
        neighbours = group is pairs
        mine: tuple[str, ...] = ()
        if options.list_decoys:
            seed = derive_seed(bundle.seed, "list decoys")
            named = tuple(group.values())
            if neighbours:
                mine = recombine_around(named, wanted, seed, frozenset(distinct))
            else:
                mine = lone_parts(PartPool.of(named), wanted, seed, frozenset(distinct))
            over = too_long(target, mine, bundle.feature_spec)
            mine = tuple(text for row, text in enumerate(mine) if row not in over)
            _require_enough(len(mine), bundle.operating_point)
            decoys += len(mine)
            if neighbours:
                seed = derive_seed(bundle.seed, "decoy check")
                check = decoy_check(named, mine, seed)
        judged |= _judge_group(
            bundle,
            scorer,
            target,
            group,
            mine,
            neighbours=neighbours,
            cache=cache,
            progress=progress,
        )

    adjust = benjamini_hochberg if options.dependence == "bh" else benjamini_yekutieli
    p_decoy = np.array([judged[key].p_decoy for key in keys])
    q_by_key = dict(
        zip(distinct, adjust(np.array([judged[key].p_decoy for key in distinct])), strict=True)
    )
    withheld = None
    if check is not None and check.tripped:
        withheld = (
            "the list's decoys can be told from the list by their spelling alone "
            f"(AUC {check.auc:.2f}, bound {check.bound:.2f}), so p-values would not mean what "
            "they say"
        )
    words = verdict_words(p_decoy, bundle.operating_point)
    common = _flags(pairs, lone, options, failed=bool(bundle.evidence.get("withheld")))
    chosen = set(selected_on)
    rows = tuple(
        Verdict(
            text=text,
            score=judged[key].score,
            p_decoy=judged[key].p_decoy,
            p_gibberish=judged[key].p_gibberish,
            q_value=float(q_by_key[key]),
            verdict=WITHHELD if withheld else words[row],
            flags=tuple(sorted(common[key] | ({"selected_on"} if row in chosen else set()))),
        )
        for row, (key, text) in enumerate(zip(keys, texts, strict=True))
    )
    calibrated = min(
        len(scorer.decoy_scores)
        for group, scorer in ((pairs, bundle.pair), (lone, bundle.single))
        if group and scorer is not None
    )
    return Verdicts(
        rows=rows,
        operating_point=bundle.operating_point,
        model_version=model_version,
        fingerprint=bundle.fingerprint,
        decoys=decoys,
        smallest_findable=smallest_findable(
            len(distinct), min(calibrated, decoys) if options.list_decoys else calibrated
        ),
        check=check,
        withheld=withheld,
    )


def decoys_needed(operating_point: float) -> int:
    """Fewest decoys against which a conformal p can fall to the operating point."""
    return math.ceil(1 / operating_point - 1e-9) - 1


def _require_enough(count: int, operating_point: float) -> None:
    if count < decoys_needed(operating_point):
        raise TooFewTexts(
            f"list decoys: {count}, no p-value could fall to the operating point "
            f"{operating_point:g}",
            f"ask for at least {decoys_needed(operating_point)} (--decoys), or turn them off "
            "(--no-list-decoys)",
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    score: float
    p_decoy: float
    p_gibberish: float


def _judge_group(
    bundle: Bundle,
    scorer: Scorer,
    target: Target,
    group: Mapping[str, str],
    decoys: Sequence[str],
    *,
    neighbours: bool,
    cache: FeatureCache | None,
    progress: Progress,
) -> dict[str, _Judged]:
    bank = _bank(bundle)
    # The list and its decoys go through one call, so that name parts they share are encoded once.
    table = extract(
        target,
        [*group.values(), *decoys],
        bundle.feature_spec,
        families=families_of(scorer.model),
        neighbours=neighbours,
        bank=bank,
        cache=cache,
        progress=progress,
    )
    scores = quantise(score(scorer.model, table.columns), scorer.quantum)
    own = scores[: len(group)]
    p_decoy = conformal_p(own, scorer.decoy_scores)
    if decoys:
        p_decoy = np.maximum(p_decoy, conformal_p(own, scores[len(group) :]))
    p_gibberish = conformal_p(own, scorer.gibberish_scores)
    return {
        key: _Judged(float(own[row]), float(p_decoy[row]), float(p_gibberish[row]))
        for row, key in enumerate(group)
    }


def _bank(bundle: Bundle) -> Bank | None:
    geometry = bundle.feature_spec.geometry
    if bundle.bank is None or geometry is None or geometry.bank_digest is None:
        return None
    embeddings = bundle.bank.astype(np.float32)
    return Bank(embeddings, geometry.bank_digest, len(embeddings))


def _flags(
    pairs: Mapping[str, str], lone: Mapping[str, str], options: JudgeOptions, *, failed: bool
) -> dict[str, set[str]]:
    """What a reader must know of each text, by canonical text."""
    flags: dict[str, set[str]] = {}
    for group in (pairs, lone):
        short = {"short_list"} if len(group) < SHORT_LIST else set()
        bare = set() if options.list_decoys else {"no_list_decoys"}
        if failed:
            bare.add("gate_failed")
        for key, text in group.items():
            mine = short | bare
            if group is lone:
                mine.add("one_part")
            elif is_common(parse_name(text)):
                mine.add("common_name")
            flags[key] = mine
    return flags

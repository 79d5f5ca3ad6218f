"""What scoring a list will cost, from a measured warm-up: told before the work begins."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flows.machine.show import spell
from registry.ledger.feature_cache import EncryptedFeatureCache
from tuni.detectors.bundle import Scorer
from tuni.features.cost import warm_up, work_of
from tuni.features.extract import family_key
from tuni.features.registry import family_named
from tuni.features.work import FamilyWork
from tuni.judging.judge import Judge, ListDecoys
from tuni.judging.scores import bank_of, families_of, reads_neighbours
from tuni.judging.whole_list import BLOCK
from tuni.lists.rows import ListIndex
from tuni.progress import SILENT

# What is done to a person beside the features, in times of looking through the list once (ours).
PASSES = 4.0
_LEAST = 4  # names of a warm-up, which takes a tenth of the texts at most
CHECK_S = 2.0  # the check of the decoys' spelling and opening the output; about so much here


@dataclass(frozen=True, slots=True)
class ScoreEstimate:
    """How much is to be encoded, and how long it takes.

    Attributes:
        people: People of the list.
        decoys: Decoys that they are ranked among.
        encoded: Texts to encode, neighbours included; those of the families added up.
        seconds: In all.
    """

    people: int
    decoys: int
    encoded: int
    seconds: float

    def text(self) -> str:
        """One line for people."""
        beside = f" beside {self.decoys:,} decoys" if self.decoys else ""
        return (
            f"{self.people:,} people{beside}, {self.encoded:,} texts to encode: about "
            f"{spell(self.seconds)} (measured on a few texts)"
        )


def estimate_score(
    judge: Judge, index: ListIndex, decoys: ListDecoys, cache: EncryptedFeatureCache
) -> ScoreEstimate:
    """Count what a list makes us encode and time each family on a few of its names.

    Args:
        judge: The detector.
        index: The list.
        decoys: Of the list.
        cache: Knows some of the features already.
    """
    started = time.perf_counter()
    single = np.array([not judge.kind.has_parts(text) for text in index.texts], dtype=bool)
    looking = time.perf_counter() - started
    encoded = 0
    drawn = len(decoys.pair) + len(decoys.single)
    seconds = PASSES * looking + CHECK_S * bool(drawn)
    blocks = [slice(0, BLOCK), slice(BLOCK, 2 * BLOCK)]
    for paired, scorer in ((True, judge.bundle.pair), (False, judge.bundle.single)):
        people = np.flatnonzero(single != paired)
        if not len(people) or scorer is None:
            continue
        first, second = (
            [text for text, alone in zip(index.texts[block], single[block], strict=True)
             if alone != paired]
            for block in blocks
        )  # fmt: skip
        rest = len(people) - len(first)
        count, spent = _extraction(
            judge, scorer, [[*first, *decoys.of(paired=paired)], second], rest, cache,
            paired=paired,
        )  # fmt: skip
        encoded += count
        seconds += spent
    return ScoreEstimate(len(index.texts), drawn, encoded, seconds)


def _extraction(
    judge: Judge,
    scorer: Scorer,
    blocks: Sequence[Sequence[str]],
    rest: int,
    cache: EncryptedFeatureCache,
    *,
    paired: bool,
) -> tuple[int, float]:
    """Texts to encode, and seconds.

    Args:
        judge: Says what is extracted.
        scorer: Reads it.
        blocks: Texts that are extracted together; the second stands for ``rest`` texts.
        rest: Texts of the list behind the first block.
        cache: Knows some already.
        paired: Whether they have two parts.
    """
    target, spec, bank = judge.target, judge.bundle.feature_spec, bank_of(judge.bundle)
    total, seconds = 0.0, 0.0
    some = next((texts for texts in blocks if texts), ())
    few = some[: max(_LEAST, len(some) // 10)]
    for family in sorted(families_of(scorer.model)) if few else ():
        around = paired and reads_neighbours(scorer.model) and family_named(family).neighbours
        own = FamilyWork(target, spec, family, bank, SILENT, others=False)
        speed = warm_up(own, few, cache)
        for work in (own, replace(own, others=True)) if around else (own,):
            key = family_key(target, spec, family, others=work.others)
            for texts, often in zip(blocks, (1.0, rest / max(len(blocks[-1]), 1)), strict=False):
                known = cache.known(key, texts)
                needed = work.all_needed(text for text in texts if text not in known)
                total += often * len(needed)
                # Reading what is kept takes about as long as keeping it.
                seconds += often * speed.keep_s * len(texts)
                seconds += often * speed.seconds(work_of(work, needed))
    return round(total), seconds

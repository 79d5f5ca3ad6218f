"""What scoring a list will cost, from a measured warm-up: told before the work begins."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from flows.machine.show import spell
from flows.scoring.detector import Detector
from registry.ledger.feature_cache import EncryptedFeatureCache
from tuni.detectors.bundle import Scorer
from tuni.features.cost import warm_up, work_of
from tuni.features.extract import family_key
from tuni.features.families import NEIGHBOURED, FamilyWork
from tuni.hashing import derive_seed
from tuni.judging.fits import too_long
from tuni.judging.judge import BLOCK
from tuni.judging.list_file import ListIndex
from tuni.judging.null import JudgeOptions, draw_decoys
from tuni.judging.scores import bank_of, families_of, reads_neighbours
from tuni.lists.shape import ListShape
from tuni.progress import SILENT
from tuni.texts.names import parse_name

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
    detector: Detector, index: ListIndex, options: JudgeOptions, cache: EncryptedFeatureCache
) -> ScoreEstimate:
    """Count what a list makes us encode and time each family on a few of its names."""
    started = time.perf_counter()
    shape = ListShape.of(text for _, text in index.spellings())
    looking = time.perf_counter() - started
    drawn, encoded, seconds = 0, 0, PASSES * looking + CHECK_S * options.list_decoys
    blocks = _blocks(index, shape.size)
    for paired, size, scorer in (
        (True, shape.pairs, detector.bundle.pair),
        (False, shape.lone, detector.bundle.single),
    ):
        if not size or scorer is None:
            continue
        started = time.perf_counter()
        decoys = _decoys(detector, index, shape, options, paired=paired)
        seconds += time.perf_counter() - started  # they are drawn once more
        drawn += len(decoys)
        own = [[text for text in some if bool(parse_name(text).last) == paired] for some in blocks]
        count, spent = _extraction(
            detector, scorer, [[*own[0], *decoys], *own[1:]], size - len(own[0]), cache,
            paired=paired,
        )  # fmt: skip
        encoded += count
        seconds += spent
    return ScoreEstimate(shape.size, drawn, encoded, seconds)


def _blocks(index: ListIndex, size: int) -> list[list[str]]:
    """The first block of people, and the second where there is one."""
    left: Iterator[tuple[int, str]] = index.spellings()
    count = 2 if size > BLOCK else 1
    return [[text for _, text in islice(left, BLOCK)] for _ in range(count)]


def _decoys(
    detector: Detector, index: ListIndex, shape: ListShape, options: JudgeOptions, *, paired: bool
) -> Sequence[str]:
    wanted = options.decoys_for(shape.size)
    if not wanted:
        return ()
    seed = derive_seed(detector.bundle.seed, "list decoys")
    drawn = draw_decoys(shape, wanted, seed, index.on_list, paired=paired)
    over = too_long(detector.target, drawn, detector.bundle.feature_spec)
    return [text for row, text in enumerate(drawn) if row not in over]


def _extraction(
    detector: Detector,
    scorer: Scorer,
    blocks: Sequence[Sequence[str]],
    rest: int,
    cache: EncryptedFeatureCache,
    *,
    paired: bool,
) -> tuple[int, float]:
    """Texts to encode, and seconds.

    Args:
        detector: Says what is extracted.
        scorer: Reads it.
        blocks: Texts that are extracted together; the second stands for ``rest`` texts.
        rest: Texts of the list behind the first block.
        cache: Knows some already.
        paired: Whether they have two parts.
    """
    target, spec = detector.target, detector.bundle.feature_spec
    total, seconds = 0.0, 0.0
    some = next((texts for texts in blocks if texts), ())
    few = some[: max(_LEAST, len(some) // 10)]
    for family in sorted(families_of(scorer.model)) if few else ():
        around = paired and reads_neighbours(scorer.model) and family in NEIGHBOURED
        bank = bank_of(detector.bundle)
        speed = warm_up(target, spec, family, few, bank, paired=around, cache=cache)
        work = FamilyWork(target, spec, family, bank, SILENT, around)
        key = family_key(target, spec, family, paired=around)
        for texts, often in zip(blocks, (1.0, rest / max(len(blocks[-1]), 1)), strict=False):
            known = cache.known(key, texts)
            todo = [text for text in dict.fromkeys(texts) if text not in known]
            needed = sorted({one for text in todo for one in work.needed(text)})
            total += often * len(needed)
            # Reading what is kept takes about as long as keeping it.
            seconds += often * speed.keep_s * len(texts)
            seconds += often * speed.seconds(work_of(target, spec, family, needed))
    return round(total), seconds

"""What a method is: where it comes from, what it needs, and how it judges the people of a bench.

The one law: every method gives a score for each person, higher is nearer to "trained on", and its
own decision by its own rule; nobody's rule is tuned here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuni.bench.peers.bench import OPERATING_POINT, Bench, BenchSizes
from tuni.hashing import derive_seed
from tuni.statistics.p_values import Floats, conformal_p


@dataclass(frozen=True, slots=True, eq=False)
class PeerResult:
    """What a method says about the subjects of a bench.

    Attributes:
        scores: Shape (n,), higher is nearer to "trained on".
        accused: Shape (n,), the method's own decision.
    """

    scores: Floats
    accused: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Peer:
    """A method.

    Attributes:
        key: Short name for files and options.
        title: What it is called.
        source: Where it was published, or "ours".
        rule: Its own decision, and whose number the threshold is.
        judge: Applies it.
        pictures: Whether it needs pictures of the person.
        known_strangers: Whether it needs people known not to be members.
        shadow_models: Models that it has to train.
        asked: Of every group, it is asked about at most so many people; None is everybody. For a
            method that takes too long.
        restarts: Times the bench's restarts of the inversion.
        steps: Times its steps.
        revision: Raised where its figures change, so that kept ones are not taken for them.
    """

    key: str
    title: str
    source: str
    rule: str
    judge: Callable[[Bench], PeerResult]
    pictures: bool = False
    known_strangers: bool = False
    shadow_models: int = 0
    asked: int | None = None
    restarts: int = 1
    steps: int = 1
    revision: int = 0

    def places(self, texts: Sequence[str], groups: Sequence[str], seed: int) -> NDArray[np.intp]:
        """Whom it is asked about: drawn by a hash of the text, whatever order the rows have.

        Args:
            texts: n names.
            groups: The group of each.
            seed: Of the draw.

        Returns:
            Rising places in [0, n).
        """
        left = dict.fromkeys(groups, len(texts) if self.asked is None else self.asked)
        kept = []
        for row in sorted(range(len(texts)), key=lambda r: derive_seed(seed, f"asked {texts[r]}")):
            left[groups[row]] -= 1
            if left[groups[row]] >= 0:
                kept.append(row)
        return np.array(sorted(kept), dtype=np.intp)

    def sizes(self, of_bench: BenchSizes) -> BenchSizes:
        """Comparison texts and the inversion's budget of this method."""
        return replace(
            of_bench,
            restarts=self.restarts * of_bench.restarts,
            steps=self.steps * of_bench.steps,
        )


def apply(peer: Peer, bench: Bench) -> tuple[PeerResult, float]:
    """Let a method judge.

    Returns:
        Its result, and the CPU seconds a subject that it would need alone, nulls included.
    """
    with bench.metered() as spent_s:
        result = peer.judge(bench)
        return result, spent_s() / len(bench.subjects.texts)


def above(scores: Floats, reference: Floats) -> NDArray[np.bool_]:
    """Scores that at most 5 % of the reference reach: conformal p at the operating point."""
    return np.asarray(conformal_p(scores, reference) <= OPERATING_POINT)

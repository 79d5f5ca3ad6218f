"""What a method is: where it comes from, what it needs, and how it judges the people of a bench.

The one law: every method gives a score for each person, higher is nearer to "trained on", and its
own decision by its own rule; nobody's rule is tuned here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.peers.bench import OPERATING_POINT, Bench
from tuni.verdicts import Floats, conformal_p


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
    """

    key: str
    title: str
    source: str
    rule: str
    judge: Callable[[Bench], PeerResult]
    pictures: bool = False
    known_strangers: bool = False
    shadow_models: int = 0


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

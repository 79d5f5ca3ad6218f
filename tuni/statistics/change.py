"""Whether texts are known more or less to one checkpoint than to another, ours.

The one law: scores of two detectors have no common scale, so a text's change is taken between its
normal scores among each detector's own calibration decoys, and what counts as a change is told by
fresh decoys that both detectors scored: the paired null.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import mannwhitneyu, norm

from tuni.statistics.p_values import Floats, conformal_p, finite


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """How texts changed between two checkpoints.

    Attributes:
        change: Normal score by the second minus that by the first, shape (n,); positive is nearer
            to "trained on" by the second.
        p_more: Conformal p of being known more by the second, against the decoys' changes.
        p_less: Likewise of being known less.
        list_more: p of a one-sided rank test (Mann-Whitney) that the texts as a whole moved more
            towards "trained on" than the decoys did.
        list_less: Likewise away from it.
    """

    change: Floats
    p_more: Floats
    p_less: Floats
    list_more: float
    list_less: float


def normal_scores(scores: ArrayLike, calibration: ArrayLike) -> Floats:
    """Scores as standard normal deviates of their ranks among calibration decoys.

    Args:
        scores: Shape (n,); higher is nearer to "trained on".
        calibration: Scores of decoys, shape (m,).

    Returns:
        ``-Phi^-1((k + 1/2) / (m + 1))`` for k decoys at or above the score, shape (n,), finite.
    """
    m = len(finite(calibration, "decoy scores", minimum=1))
    above = conformal_p(scores, calibration) * (m + 1) - 1.0
    return np.asarray(-norm.ppf((above + 0.5) / (m + 1)), dtype=np.float64)


def changes(
    first: ArrayLike, second: ArrayLike, decoys_first: ArrayLike, decoys_second: ArrayLike
) -> Changes:
    """Compare two checkpoints' normal scores of the same texts.

    Args:
        first: Normal scores by the first checkpoint, shape (n,).
        second: By the second, the same texts in the same order.
        decoys_first: Normal scores of fresh decoys by the first, shape (m,).
        decoys_second: By the second, the same decoys in the same order.

    Raises:
        UnusableScores: A value is not finite, or an array is empty.
    """
    change = finite(second, "second") - finite(first, "first", minimum=1)
    null = finite(decoys_second, "decoys") - finite(decoys_first, "decoys", minimum=1)
    return Changes(
        change=change,
        p_more=conformal_p(change, null),
        p_less=conformal_p(-change, -null),
        list_more=float(mannwhitneyu(change, null, alternative="greater").pvalue),
        list_less=float(mannwhitneyu(change, null, alternative="less").pvalue),
    )

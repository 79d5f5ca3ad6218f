"""When a trial of a search may take the default detector's place: one rule for both objectives.

The one law: the default stays unless it is beaten by a stated margin in cross-fitted judgement.
"""

from collections.abc import Mapping
from typing import Literal

from tuni.errors import RequestError

MARGIN = 0.02  # by how much a trial must beat the default, where a request says nothing (ours)
LEAST_LABELS = 20  # texts of each kind, below which no choice is made (ours)
ONE_SIDED = 0.99  # confidence that a gain is more than luck; .95 let one in ten through (ours)

Reason = Literal[
    "no trial is ahead of the default",
    "the gain is below the margin",
    "the gain may be luck",
    "too few texts to tell",
    "the gain also shows where nobody is a member",
    "beats the default by the margin",
]
REPLACES: Reason = "beats the default by the margin"
TOO_FEW: Reason = "too few texts to tell"


def reason_for(default_leads: bool, few: bool, gain: float, low: float, margin: float) -> Reason:
    """The rule for both objectives: what a cross-fitted gain is worth.

    Args:
        default_leads: No trial is ahead of the default on all texts.
        few: There are too few texts to tell.
        gain: Cross-fitted gain over the default.
        low: Its one-sided lower bound.
        margin: What the gain has to reach.

    Returns:
        `REPLACES` where a trial takes the default's place, else why not.
    """
    if few:
        return TOO_FEW
    if default_leads:
        return "no trial is ahead of the default"
    if gain < margin:
        return "the gain is below the margin"
    if low <= 0.0:
        return "the gain may be luck"
    return REPLACES


def require_default(trials: Mapping[int, object], default: int) -> None:
    """Refuse a search that never tried the default detector.

    Raises:
        RequestError: The default is not among the trials.
    """
    if default not in trials:
        raise RequestError(
            f"default trial: {default} is not among the {len(trials)} trials",
            "enqueue the default detector first",
        )

"""What of an evaluation may stand where others read: MLflow, the report, the bundle.

The one law: no figure of a group of fewer than five people, nor one that follows from the others.
A share of five or more is told, also where few of them were found: it is the detector's error, and
names nobody.
"""

from dataclasses import replace

from tuni.statistics.evaluation import Evaluation
from tuni.statistics.suppression import FEW, SMALLEST_SHARED, shared_groups

_REST = ""  # people without a word or a number of captions; no name of a group


def shared_evaluation(measured: Evaluation) -> Evaluation | None:
    """The evaluation without figures of small groups; None where a whole kind is one."""
    if min(measured.members, measured.nonmembers) < SMALLEST_SHARED:
        return None
    captions = {str(entry.captions): entry.found.n for entry in measured.by_captions}
    named = {
        entry.name: entry.accused.n for entry in measured.groups if entry.name in measured.labelled
    }
    by_captions = shared_groups(_with_rest(captions, measured.members))
    groups = shared_groups(_with_rest(named, measured.nonmembers))
    return replace(
        measured,
        by_captions=tuple(
            entry for entry in measured.by_captions if str(entry.captions) in by_captions
        ),
        groups=tuple(
            entry for entry in measured.groups if entry.name in groups or entry.name not in named
        ),
    )


def told(count: int) -> str:
    """How many labelled texts there are, in words for others."""
    return FEW if 0 < count < SMALLEST_SHARED else f"{count:,}"


def _with_rest(sizes: dict[str, int], whole: int) -> dict[str, int]:
    rest = whole - sum(sizes.values())
    return sizes | ({_REST: rest} if rest else {})

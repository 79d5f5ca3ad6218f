"""Where a text stands among its near misses: texts that differ in one digit, or in the next house.

A model that knows a number is nearly as sure of one that differs in a digit, so that a verdict is
about either; the rank says how far the exact text stands out.
"""

from collections.abc import Sequence
from itertools import pairwise

from tuni.detectors.score import Table
from tuni.judging.forms import Forms
from tuni.judging.judge import Judge
from tuni.judging.part_effects import Correction
from tuni.statistics.p_values import Floats, quantise


def near_ranks(judge: Judge, texts: Sequence[str], correction: Correction) -> list[int]:
    """Rank of each text among itself and its near misses; 1 is the best, a tie is the worse.

    What the parts of the exact text add is taken from its near misses as well: theirs are not on
    the list, so that nobody knows what they add.

    Args:
        judge: The detector, of a kind with near misses.
        texts: n texts of two parts, n >= 1.
        correction: Of the list's null.
    """
    scorer = judge.bundle.pair
    asked = [[text, *judge.kind.near(text)] for text in texts]
    forms = [Forms.of(judge.kind, some) for some in asked]
    owners = [
        own
        for some, text in zip(forms, texts, strict=True)
        for own in _owners(some, judge.kind.forms(text))
    ]
    table: Table = judge.table([form for some in forms for form in some.texts], scorer, paired=True)
    values = quantise(correction.scores(scorer, owners, table), scorer.quantum)
    ranks, start = [], 0
    for some in forms:
        largest: Floats = some.largest(values[start : start + len(some.texts)])
        start += len(some.texts)
        ranks.append(1 + int((largest[1:] >= largest[0]).sum()))
    return ranks


def _owners(forms: Forms, exact: Sequence[str]) -> list[str]:
    """For each form the exact text's in the same place, or its last where there are fewer."""
    bounds = [*forms.starts.tolist(), len(forms.texts)]
    return [
        exact[min(place, len(exact) - 1)]
        for begin, end in pairwise(bounds)
        for place in range(end - begin)
    ]

"""Counts of people as they may be told to others.

The one law: who must not see the list itself does not see a count of fewer than five of its
people either, nor one that follows from two that are shown.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SMALLEST_SHARED = 5
FEW = f"fewer than {SMALLEST_SHARED}"
HIDDEN = "not told"

Told = int | str  # a count, or the words that stand where it must not be told


def shared_part(part: int, whole: int) -> int | None:
    """A part of a whole that is shown beside it, or None where it must not be told.

    Args:
        part: People with some property.
        whole: All people; the rest follows from the two.
    """
    return part if min(part, whole - part) >= SMALLEST_SHARED else None


def shared_groups(sizes: Mapping[str, int]) -> frozenset[str]:
    """Groups of people whose figures may be told, where those of all together are.

    Args:
        sizes: People by group; the groups divide the whole, a rest without a name among them.

    Returns:
        Those of at least five people. Where the others together are fewer than five, what is told
        of the whole would tell of them: the smallest groups join them until they are not.
    """
    by_size = sorted(sizes, key=lambda name: (sizes[name], name))
    hidden = sum(sizes[name] < SMALLEST_SHARED for name in by_size)
    while 0 < sum(sizes[name] for name in by_size[:hidden]) < SMALLEST_SHARED and hidden < len(
        by_size
    ):
        hidden += 1
    return frozenset(by_size[hidden:])


def hidden_bins(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bins of a histogram that must not be told, by `shared_groups`; empty ones may be.

    Args:
        counts: People by bin, shape (n,).
    """
    told = shared_groups({str(row): int(counts[row]) for row in np.flatnonzero(counts)})
    return np.array([bool(count) and str(row) not in told for row, count in enumerate(counts)])


def shared_count(part: int, whole: int) -> Told:
    """`shared_part`, or on which side it is small."""
    if (told := shared_part(part, whole)) is not None:
        return told
    return FEW if part < SMALLEST_SHARED else f"all but {FEW}"


def told_words(count: Told) -> str:
    """A count as it stands in a sentence."""
    return f"{count:,}" if isinstance(count, int) else count


def shared_words(part: int, whole: int) -> str:
    """`shared_count` in words."""
    return told_words(shared_count(part, whole))

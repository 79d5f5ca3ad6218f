"""Counts of people as they may be told to others.

The one law: who must not see the list itself does not see a count of fewer than five of its
people either, nor one that follows from two that are shown.
"""

SMALLEST_SHARED = 5
FEW = f"fewer than {SMALLEST_SHARED}"


def shared_part(part: int, whole: int) -> int | None:
    """A part of a whole that is shown beside it, or None where it must not be told.

    Args:
        part: People with some property.
        whole: All people; the rest follows from the two.
    """
    return part if min(part, whole - part) >= SMALLEST_SHARED else None


def shared_words(part: int, whole: int) -> str:
    """`shared_part` in words: the count, or on which side it is small."""
    if shared_part(part, whole) is not None:
        return f"{part:,}"
    if part < SMALLEST_SHARED:
        return FEW
    return f"all but {FEW}"

"""Which texts a checkpoint and a detector can judge, told by row or line before any work.

A reason names the row and never quotes the text.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tuni.detectors.bundle import Bundle
from tuni.errors import TextError
from tuni.features.families import NEIGHBOURED, FamilyWork
from tuni.features.prompts import fill, may_exceed
from tuni.features.spec import FeatureSpec
from tuni.model.target import Target
from tuni.progress import SILENT
from tuni.texts.names import parse_name
from tuni.texts.text import clean_text, refusal

_LONGEST_PART = 16  # tokens that a neighbour's common name part stays below


def unscorable(target: Target, texts: Sequence[str], bundle: Bundle) -> dict[int, str]:
    """Rows that cannot be scored and why; the reason never quotes the text."""
    reasons = {row: why for row, text in enumerate(texts) if (why := refusal(text)) is not None}
    rest = [row for row in range(len(texts)) if row not in reasons]
    long = too_long(target, [texts[row] for row in rest], bundle.feature_spec)
    reasons |= {rest[place]: why for place, why in long.items()}
    for row in rest:
        if bundle.single is None and row not in reasons and not parse_name(texts[row]).last:
            reasons[row] = "one part only, and this detector was made for full names"
    return dict(sorted(reasons.items()))


def too_long(target: Target, texts: Sequence[str], spec: FeatureSpec) -> dict[int, str]:
    """Rows that leave the model's context, themselves or by a neighbour, and why."""
    clean = [clean_text(text) for text in texts]
    prompts = spec.prompts
    lengths = target.token_counts([fill(prompt, "x") for prompt in prompts])
    longest = prompts[int(np.argmax(lengths))]
    safe = target.context_length - _LONGEST_PART
    rows = [row for row, text in enumerate(clean) if may_exceed(fill(longest, text), safe)]
    counts = target.token_counts([fill(longest, clean[row]) for row in rows])
    reasons = {}
    for place in np.flatnonzero(counts > safe).tolist():
        row, count, by = rows[place], int(counts[place]), ""
        if count <= target.context_length:
            around = _neighbours(target, clean[row], spec)
            counted = target.token_counts([fill(longest, text) for text in around])
            count, by = max(counted.tolist(), default=0), " beside another name part"
        if count > target.context_length:
            reasons[row] = (
                f"{count} tokens in the longest prompt{by}, the model reads {target.context_length}"
            )
    return reasons


def _neighbours(target: Target, text: str, spec: FeatureSpec) -> set[str]:
    if not parse_name(text).last:
        return set()
    works = [
        FamilyWork(target, spec, family, None, SILENT, paired=True)
        for family in spec.families
        if family in NEIGHBOURED
    ]
    return {one for work in works for one in work.needed(text)}


def refuse(
    reasons: Mapping[int, str],
    unit: str = "row",
    source: str = "subjects",
    fix: str = "mend these rows, or skip them (--skip-bad)",
) -> None:
    """Refuse a list that has rows which cannot be scored.

    Args:
        reasons: Row, from 0, or line, from 1, and why.
        unit: ``"row"`` or ``"line"``.
        source: What the message calls the list.
        fix: What to do about it.

    Raises:
        TextError: There is a reason; the first five are named.
    """
    if reasons:
        offset = 1 if unit == "row" else 0
        first = list(reasons.items())[:5]
        listed = "; ".join(f"{unit} {place + offset}: {why}" for place, why in first)
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        raise TextError(f"{source}: {listed}{more}", fix)

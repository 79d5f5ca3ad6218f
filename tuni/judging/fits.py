"""Which texts can be scored, and which a checkpoint reads whole, told before any work."""

import hashlib
from collections.abc import Sequence

import numpy as np

from tuni.features.prompts import fill, may_exceed
from tuni.features.registry import family_named
from tuni.features.spec import FeatureSpec
from tuni.features.work import FamilyWork
from tuni.judging.forms import Forms
from tuni.model.target import Target
from tuni.progress import SILENT
from tuni.texts.kind import text_kind
from tuni.texts.text import clean_text

_LONGEST_PART = 16  # tokens that a neighbour's common name part stays below


def unfit(target: Target, texts: Sequence[str], spec: FeatureSpec) -> dict[int, str]:
    """Rows of texts of another kind than the spec's, or that the model cannot read, and why."""
    kind, marks = text_kind(spec.kind), target.special_words
    reasons = too_long(target, texts, spec)
    for row, text in enumerate(texts):
        if (reason := kind.refusal(text)) is not None:
            reasons[row] = reason
        elif any(word in text for word in marks):
            reasons[row] = "holds a special token of the model's tokenizer"
        elif not any(map(str.isalnum, text)) and not kept_characters(target, text):
            reasons[row] = "holds nothing that the model's tokenizer keeps"
    return reasons


class Repeats:
    """Which texts of a list are to the model what an earlier one is; 8 bytes a text are held.

    SigLIP's tokenizer drops punctuation, CLIP's white space around it: two people then are one
    text, and a verdict for each would count it twice.
    """

    def __init__(self, target: Target) -> None:
        """Have seen no text yet."""
        self._target = target
        self._seen = np.empty(0, dtype=np.uint64)  # halves of digests, ascending

    def among(self, texts: Sequence[str]) -> dict[int, str]:
        """Rows of the list's next texts that are there already, and what to say of them."""
        keys = np.array(
            [
                int.from_bytes(hashlib.blake2b(self._target.key(text), digest_size=8).digest())
                for text in texts
            ],
            dtype=np.uint64,
        )
        again = np.ones(len(keys), dtype=bool)
        again[np.unique(keys, return_index=True)[1]] = False
        again |= np.isin(keys, self._seen)
        self._seen = np.union1d(self._seen, keys)
        reason = "is one text with another of the list to the model's tokenizer"
        return dict.fromkeys(np.flatnonzero(again).tolist(), reason)


def kept_characters(target: Target, characters: str) -> str:
    """Those of some characters that the tokenizer does not drop, as SigLIP's drops punctuation."""
    counts = target.token_counts(list(characters)).tolist()
    return "".join(
        character
        for character, count in zip(characters, counts, strict=True)
        if count > sum(target.marks)
    )


def too_long(target: Target, texts: Sequence[str], spec: FeatureSpec) -> dict[int, str]:
    """Rows that leave the model's context, themselves or by a neighbour, and why."""
    forms = Forms.of(text_kind(spec.kind), texts)
    owners = np.repeat(np.arange(len(texts)), np.diff(forms.starts, append=len(forms.texts)))
    clean = [clean_text(text) for text in forms.texts]
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
            reasons[int(owners[row])] = (
                f"{count} tokens in the longest prompt{by}, the model reads "
                f"{target.context_length}: the longest such text that fits has about "
                f"{_fitting(clean[row], count, target)} characters"
            )
    return reasons


def _fitting(text: str, count: int, target: Target) -> int:
    """Characters that a text of ``count`` tokens under a prompt may have at the same density."""
    over = count - target.context_length
    own = max(1, int(target.token_counts([text])[0]) - sum(target.marks))
    return max(0, int(len(text) * (own - over) / own))


def _neighbours(target: Target, text: str, spec: FeatureSpec) -> set[str]:
    if not text_kind(spec.kind).has_parts(text):
        return set()
    works = [
        FamilyWork(target, spec, family, None, SILENT, others=True)
        for family in spec.families
        if family_named(family).neighbours
    ]
    return {one for work in works for one in work.needed(text)}

"""Rows of token ids: what a tokenizer owes, and open_clip's own, each word worked out once.

The one law: the ids are the tokenizer's own. It cleans a text with ftfy before it looks at the
words, which takes longer than the forward pass of a small tower. Where there is nothing to clean
but white space and case, a text is the sum of its words, since no token crosses white space. All
others, and tokenizers that clean otherwise, take a text whole.
"""

from collections.abc import Collection, Sequence
from copy import copy
from functools import lru_cache
from typing import Protocol

from ftfy import fix_text
from ftfy.badness import is_bad
from open_clip.tokenizer import SimpleTokenizer, get_clean_fn

from tuni.errors import TextError

_KEPT = 1 << 15  # words, and texts: a block of texts is asked for several times


class RowTokenizer(Protocol):
    """Turns a text into a whole row of ids, never cut.

    Attributes:
        marks: How many ids it puts before and after a text.
        end: Id of the mark after a text; None where there is none.
        padding: Id that fills rows up.
        specials: Ids that no text may hold.
        special_words: The words that it would take for them.
    """

    marks: tuple[int, int]
    end: int | None
    padding: int
    specials: frozenset[int]
    special_words: frozenset[str]

    def row(self, text: str) -> list[int]:
        """Ids of a text with its marks."""
        ...


class TokenIds:
    """Ids of a text without start and end, never cut."""

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        """Take a tokenizer; its settings decide whether words may be taken one by one."""
        self._by_words = tokenizer.clean_fn is get_clean_fn("lower")
        self._whole = tokenizer.encode
        self._ids = lru_cache(maxsize=_KEPT)(self._worked_out)
        by_words = copy(tokenizer)
        by_words.clean_fn = str.lower  # all that its cleaning does to a word that is clean
        self._word = lru_cache(maxsize=_KEPT)(by_words.encode)
        self._clean = lru_cache(maxsize=_KEPT)(lambda word: fix_text(word) == word)

    def __call__(self, text: str) -> list[int]:
        """Ids of one text."""
        return list(self._ids(text))

    def _worked_out(self, text: str) -> tuple[int, ...]:
        if self._by_words and text.isprintable() and "&" not in text:
            words = text.split()
            # Of all that ftfy does only the search for mojibake looks beyond a word.
            if text.isascii() or (all(map(self._clean, words)) and not is_bad(text)):
                return tuple(token for word in words for token in self._word(word))
        return tuple(self._whole(text))


class SimpleRows:
    """open_clip's own tokenizer. See `RowTokenizer`."""

    def __init__(self, own: SimpleTokenizer) -> None:
        """Take it; its settings decide how a text is cleaned."""
        self._encode, self._start = TokenIds(own), own.sot_token_id
        self.marks, self.end, self.padding = (1, 1), own.eot_token_id, 0
        self.specials = frozenset(own.all_special_ids)
        self.special_words: frozenset[str] = frozenset()  # refused in every text

    def row(self, text: str) -> list[int]:
        """Ids of a text with its marks."""
        return [self._start, *self._encode(text), self.end]


def padded_rows(
    rows: Sequence[Sequence[int]],
    *,
    marks: tuple[int, int],
    specials: Collection[int],
    context_length: int,
    padding: int,
    full: bool,
    step: int = 1,
) -> list[list[int]]:
    """Rows of ids filled up to one length, none of them ever cut.

    Args:
        rows: Whole rows, marks included.
        marks: How many ids before and after a text are marks.
        specials: Ids that no text may hold: the tower would take them for the text's end.
        context_length: Most ids of a row.
        padding: Id that fills up.
        full: Whether to the context, or to the longest row.
        step: What the length is a multiple of, as far as the context allows.

    Raises:
        TextError: A text is too long or holds a special id; rows are named.
    """
    before, after = marks
    taken = frozenset(specials)
    if special := [
        i for i, row in enumerate(rows) if taken.intersection(row[before : len(row) - after])
    ]:
        raise TextError(
            f"texts: a special token of the tokenizer stands in {_numbers(special)}",
            "remove it from the text",
        )
    if long := [i for i, row in enumerate(rows) if len(row) > context_length]:
        raise TextError(
            f"texts: longer than the {context_length} tokens of the model in {_numbers(long)}",
            "shorten the text, or leave it out",
        )
    longest = max(map(len, rows), default=before + after)
    length = context_length if full else min(-(-longest // step) * step, context_length)
    return [[*row, *[padding] * (length - len(row))] for row in rows]


def _numbers(rows: Sequence[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    return f"row{'s' if len(rows) > 1 else ''} {shown}{' and more' if len(rows) > 5 else ''}"

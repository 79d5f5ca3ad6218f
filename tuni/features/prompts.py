"""Texts under prompt templates, in passes whose shapes don't depend on the company.

The one law: a pass holds sequences of one exact length whose text stands at the same positions,
filled up with repeats to one of a few fixed sizes. Measured on a CPU (x86-64, float32, towers of
width 64 to 768, 1 and 2 threads): hidden states and gradients of a text are then bit-equal
whatever else is in the call, wherever in the pass it stands and whichever size the pass has. On
another machine or a GPU the company may move last bits (about 1e-6); scores are quantised for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tuni.errors import TextError
from tuni.model.target import Target

_SMALLEST_PASS = 16  # passes of 1 and 7 moved last bits


@dataclass(frozen=True, slots=True, eq=False)
class PromptPass:
    """One forward pass's worth of filled templates.

    Attributes:
        rows: Rows of the texts, shape ``(m,)``; the pass's further rows repeat them.
        ids: Token ids, shape ``(b, L)``, b >= m.
        start: Position of the text's first own token; all before is the same in every row.
        stop: Position after its last own token.
    """

    rows: NDArray[np.int64]
    ids: Tensor
    start: int
    stop: int


def fill(prompt: str, text: str) -> str:
    """The template with the text in it; a text may hold braces of its own."""
    return prompt.replace("{}", text)


def may_exceed(text: str, tokens: int) -> bool:
    """Whether a text can have more tokens than so many, marks included, told without counting.

    A token holds a byte at least, beside two marks and the one with which some tokenizers begin;
    cleaning may lengthen other than ASCII.
    """
    return not text.isascii() or len(text) + 3 > tokens


def prompt_passes(
    target: Target, texts: Sequence[str], prompt: str, batch: int
) -> Iterator[PromptPass]:
    """Passes that cover every text once under one template.

    Args:
        target: Tokenises.
        texts: n texts.
        prompt: Template, holding ``{}`` once.
        batch: Sequences of a full pass; the rest of a kind goes in quarters and sixteenths.

    Raises:
        TextError: A text is too long, holds a special token, or has no token of its own.
    """
    filled = [fill(prompt, text) for text in texts]
    before, _, after = prompt.partition("{}")
    head, tail = (_tokens(target, part) for part in (before, after))
    lengths = target.token_counts(filled)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        ids = target.tokenize([filled[row] for row in rows])
        opening, closing = target.marks
        tokens = ids[:, opening : length - closing].cpu().numpy()
        starts = opening + _agreeing(tokens, head)
        stops = length - closing - _agreeing(tokens[:, ::-1], tail[::-1])
        if (stops <= starts).any():
            lost = rows[stops <= starts]
            raise TextError(
                f"texts: no token of its own in row {lost[0]} under the prompt {prompt!r}",
                "leave the text out",
            )
        for start, stop in sorted(set(zip(starts.tolist(), stops.tolist(), strict=True))):
            same = np.flatnonzero((starts == start) & (stops == stop))
            while len(same):
                size = _pass_size(len(same), batch)
                some, same = same[:size], same[size:]
                yield PromptPass(rows[some], ids[np.resize(some, size)], start, stop)


def _pass_size(count: int, batch: int) -> int:
    """The largest of a batch, a quarter and a sixteenth that so many fill to three quarters."""
    sizes = [size for size in (batch, batch // 4, batch // 16) if size >= _SMALLEST_PASS]
    return next((size for size in sizes if 4 * count >= 3 * size), sizes[-1] if sizes else batch)


def _tokens(target: Target, part: str) -> NDArray[np.int64]:
    """Tokens of a piece of a template, without marks."""
    opening, closing = target.marks
    end = int(target.token_counts([part])[0]) - closing
    tokens: NDArray[np.int64] = target.tokenize([part])[0, opening:end].cpu().numpy()
    return tokens


def _agreeing(tokens: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many leading tokens of each row are the wanted ones.

    Fewer than all where the text's first letters and the template's merge into one token; that
    token then counts as the text's own.
    """
    width = min(tokens.shape[1], len(wanted))
    same = tokens[:, :width] == wanted[:width]
    count: NDArray[np.int64] = np.cumprod(same, axis=1).sum(axis=1)
    return count

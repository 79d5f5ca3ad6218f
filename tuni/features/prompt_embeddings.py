"""Unit embeddings of texts under prompt templates, for the families that need nothing else.

The one law: that of `tuni.features.prompts`, an embedding does not depend on what else is in the
call.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tuni.errors import TextError
from tuni.features.family import PLAIN_PROMPTS
from tuni.features.prompts import PromptPass, fill, prompt_passes
from tuni.model.target import Target


def prompt_embeddings(
    target: Target,
    texts: Sequence[str],
    prompts: Sequence[str],
    batch: int,
    step: Callable[[int], None] = lambda _units: None,
) -> Tensor:
    """Encode every text under every prompt.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        prompts: k templates, each holding ``{}`` once.
        batch: Sequences per forward pass.
        step: Told how many texts' worth of work is done.

    Returns:
        Unit embeddings, float32, on the CPU, shape ``(n, k, embed_dim)``.

    Raises:
        TextError: A text does not fit into the context under a prompt, or holds a special token.
    """
    found = torch.empty(len(texts), len(prompts), target.embed_dim)
    advance = whole_units(step, len(prompts))
    with torch.no_grad():
        for number, prompt in enumerate(prompts):
            try:
                for some in prompt_passes(target, texts, prompt, batch):
                    x = target.token_embeddings(some.ids)
                    output = target.forward_text(x, some.ids, shared=some.start)
                    rows = torch.from_numpy(some.rows)
                    found[rows, number] = output.embedding[: len(rows)].float().cpu()
                    advance(len(rows))
            except TextError:
                _require_fit(target, texts, prompt)  # knows the caller's rows
                raise
    return found


def all_passes(
    target: Target,
    texts: Sequence[str],
    prompts: Sequence[str],
    batch: int,
    step: Callable[[int], None],
) -> Iterator[PromptPass]:
    """Passes that cover every text once under each template; ``step`` is told whole texts."""
    advance = whole_units(step, len(prompts))
    for prompt in prompts:
        for some in prompt_passes(target, texts, prompt, batch):
            yield some
            advance(len(some.rows))


def whole_units(step: Callable[[int], None], parts: int) -> Callable[[int], None]:
    """A counter of parts that tells ``step`` whole units of ``parts`` parts each."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done // parts, done + count
        if done // parts > before:
            step(done // parts - before)

    return advance


def _require_fit(target: Target, texts: Sequence[str], prompt: str) -> None:
    """Name the rows that leave the context under a prompt."""
    counts = target.token_counts([fill(prompt, text) for text in texts])
    rows = np.flatnonzero(counts > target.context_length)
    if len(rows):
        shown = ", ".join(str(row) for row in rows[:5]) + (" and more" if len(rows) > 5 else "")
        raise TextError(
            f"texts: with the prompt {prompt!r} longer than the {target.context_length} tokens "
            f"of the context in row{'s' if len(rows) > 1 else ''} {shown}",
            "shorten the texts, leave them out, or use shorter prompts",
        ) from None


def embed_names(target: Target, texts: Sequence[str], batch: int) -> NDArray[np.float32]:
    """Mean unit embeddings of names under plain prompts, to be compared with pictures.

    Args:
        target: The audited checkpoint.
        texts: n names.
        batch: Sequences per forward pass.

    Returns:
        Shape ``(n, embed_dim)``.
    """
    mean = prompt_embeddings(target, texts, PLAIN_PROMPTS, batch).mean(dim=1)
    return np.asarray(functional.normalize(mean, dim=-1).numpy(), dtype=np.float32)

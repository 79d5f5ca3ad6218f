"""Family 4 of docs/method.md (ours): the residual stream where a text ends.

The one law: states are read before the final layer norm, which would remove the norm, and
averaged over plain prompts. A text that the model knows has a longer state than a stranger's.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tuni.errors import SpecMismatch
from tuni.features.families.hidden import HiddenSpec
from tuni.features.prompt_embeddings import whole_units
from tuni.features.prompts import prompt_passes
from tuni.model.target import Target


def columns(
    target: Target,
    texts: Sequence[str],
    spec: HiddenSpec,
    batch: int,
    step: Callable[[int], None],
) -> dict[str, NDArray[np.float32]]:
    """Mean hidden state of every text over the prompts, and the norm of the last one.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        spec: Prompts and layers.
        batch: Sequences per forward pass.
        step: Told how many texts are done.

    Returns:
        ``hidden.L`` of shape ``(n, width)`` for every layer L of the spec (0 is after the last
        block, 1 one block before), and ``hidden.norm``, the length of the mean state after the
        last block, of shape ``(n, 1)``; higher is nearer to "trained on".

    Raises:
        SpecMismatch: The tower has no such layer.
        TextError: A text does not fit into the context under a prompt.
    """
    if not all(0 <= layer < target.layers for layer in spec.layers):
        raise SpecMismatch(
            f"hidden.layers: {spec.layers}, the text tower has layers 0 to {target.layers - 1}",
            "ask for layers that it has",
        )
    earlier = max(spec.layers, default=0)
    sums = np.zeros((earlier + 1, len(texts), target.width), dtype=np.float32)
    advance = whole_units(step, len(spec.prompts))
    with torch.inference_mode():
        for prompt in spec.prompts:
            for some in prompt_passes(target, texts, prompt, batch):
                x = target.token_embeddings(some.ids)
                found = target.forward_text(x, some.ids, earlier, shared=some.start).hidden
                for layer, state in enumerate(found):
                    sums[layer, some.rows] += state[: len(some.rows)].cpu().numpy()
                advance(len(some.rows))
    means = sums / np.float32(len(spec.prompts))
    norm = np.sqrt(np.square(means[0], dtype=np.float64).sum(axis=1, keepdims=True))
    return {
        **{f"hidden.{layer}": means[layer] for layer in spec.layers},
        "hidden.norm": norm.astype(np.float32),
    }

"""Family 3 of docs/method.md (ours): how little a text's embedding turns under noise on its tokens.

The one law: only the positions of the text's own tokens are touched, with draws that are the
same for every text. A text that the model has learnt sits in a flat place.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuni.features.families.noise import NoiseSpec
from tuni.features.prompt_embeddings import all_passes
from tuni.hashing import derive_seed
from tuni.model.target import Target

_FLOOR = 1e-7  # of 1 - cosine: the resolution of float32


def columns(
    target: Target,
    texts: Sequence[str],
    spec: NoiseSpec,
    batch: int,
    step: Callable[[int], None],
) -> dict[str, NDArray[np.float32]]:
    """Stability under noise on the text's own token embeddings.

    With x the token embeddings before positions, e the unit embedding and e_r the one with
    ``x + sigma |x_pos| z_r,pos`` (z of unit length): the mean over prompts and draws r of
    ``-log(max(1 - e_r . e, 1e-7))``.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        spec: Prompts, draws, sigma, seed.
        batch: Sequences per forward pass.
        step: Told how many texts are done.

    Returns:
        ``noise`` of shape ``(n, 1)``; higher is nearer to "trained on".

    Raises:
        TextError: A text does not fit into the context under a prompt.
    """
    draws = unit_draws(spec, target.context_length, target.width).to(target.device)
    sums = np.zeros((len(texts), 1))
    with torch.inference_mode():
        for some in all_passes(target, texts, spec.prompts, batch, step):
            x = target.token_embeddings(some.ids)
            own = x[:, some.start : some.stop]
            reach = spec.sigma * own.norm(dim=-1, keepdim=True)
            still = target.forward_text(x, some.ids, shared=some.start).embedding
            for draw in draws[:, : some.stop - some.start]:
                moved = x.clone()
                moved[:, some.start : some.stop] += reach * draw
                turned = target.forward_text(moved, some.ids, shared=some.start).embedding
                # Of unit vectors, 1 - cosine is half the squared distance: exact where it is small.
                away = (turned - still).double().square().sum(dim=1) / 2
                found = -away.clamp_min(_FLOOR).log()
                sums[some.rows, 0] += found[: len(some.rows)].cpu().numpy()
    return {"noise": (sums / (len(spec.prompts) * spec.draws)).astype(np.float32)}


def unit_draws(spec: NoiseSpec, positions: int, width: int) -> Tensor:
    """Noise of unit length for every draw and own position, shape ``(draws, positions, width)``.

    Position 0 is the text's first own token, wherever a prompt puts it.
    """
    generator = torch.Generator().manual_seed(derive_seed(spec.seed, "noise draws"))
    draws = torch.randn(spec.draws, positions, width, generator=generator)
    draws /= torch.linalg.vector_norm(draws, dim=-1, keepdim=True)
    return draws

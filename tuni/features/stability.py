"""Family 3 of docs/method.md (ours): how little a text's embedding turns when its tokens move.

The one law: only the positions of the text's own tokens are touched, with draws and directions
that are the same for every text. A text that the model has learnt sits in a flat place.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuni.features.prompt_embeddings import whole_units
from tuni.features.prompts import PromptPass, prompt_passes
from tuni.features.spec import JacobianSpec, NoiseSpec
from tuni.hashing import derive_seed
from tuni.model.target import Target

_FLOOR = 1e-7  # of 1 - cosine (noise): the resolution of float32
_TINY = 1e-30  # of the squared Jacobian: keeps a dead direction finite
_GRAPH_BYTES = 1 << 30  # activations that one pass with gradients may keep, about


def noise_columns(
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
        for some in _all_passes(target, texts, spec.prompts, batch, step):
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


def jacobian_columns(
    target: Target,
    texts: Sequence[str],
    spec: JacobianSpec,
    batch: int,
    step: Callable[[int], None],
) -> dict[str, NDArray[np.float32]]:
    """Stability as the size of the Jacobian of the embedding in the text's own tokens.

    With V fixed orthonormal directions v_b and ``g_b = d(v_b . e) / dx``: absolute =
    ``-mean over prompts of log((1/V) sum_b sum_pos |g_b,pos|^2)``; relative = the same with each
    term times ``|x_pos|^2``.

    Args:
        target: The audited checkpoint.
        texts: n texts.
        spec: Prompts, directions, seed.
        batch: Sequences per forward pass.
        step: Told how many texts are done.

    Returns:
        ``jacobian_relative`` and ``jacobian_absolute`` of shape ``(n, 1)``; higher is nearer to
        "trained on".

    Raises:
        TextError: A text does not fit into the context under a prompt.
    """
    directions = orthonormal_directions(spec, target.embed_dim).to(target.device)
    sums = np.zeros((len(texts), 2))
    rows_at_once = _rows_with_gradients(target, batch)
    for some in _all_passes(target, texts, spec.prompts, rows_at_once, step):
        squares, lengths = _squared_jacobian(target, some, directions)
        for column, weighted in enumerate((squares * lengths, squares)):
            found = -weighted.sum(dim=1).clamp_min(_TINY).log()
            sums[some.rows, column] += found[: len(some.rows)].cpu().numpy()
    means = (sums / len(spec.prompts)).astype(np.float32)
    return {"jacobian_relative": means[:, :1], "jacobian_absolute": means[:, 1:]}


def unit_draws(spec: NoiseSpec, positions: int, width: int) -> Tensor:
    """Noise of unit length for every draw and own position, shape ``(draws, positions, width)``.

    Position 0 is the text's first own token, wherever a prompt puts it.
    """
    generator = torch.Generator().manual_seed(derive_seed(spec.seed, "noise draws"))
    draws = torch.randn(spec.draws, positions, width, generator=generator)
    draws /= torch.linalg.vector_norm(draws, dim=-1, keepdim=True)
    return draws


def orthonormal_directions(spec: JacobianSpec, embed_dim: int) -> Tensor:
    """Fixed random directions of the output space, float32, shape ``(directions, embed_dim)``.

    Rows are orthonormal; no more than ``embed_dim`` are returned.
    """
    generator = torch.Generator().manual_seed(derive_seed(spec.seed, "jacobian directions"))
    count = min(spec.directions, embed_dim)
    random = torch.randn(embed_dim, count, generator=generator, dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(random).Q
    return basis.T.float().contiguous()


def _squared_jacobian(
    target: Target, some: PromptPass, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean squared gradient and squared embedding length at own positions, each ``(b, own)``."""
    with torch.no_grad():
        x = target.token_embeddings(some.ids)
    with torch.enable_grad():
        own = x[:, some.start : some.stop].clone().requires_grad_()
        whole = torch.cat([x[:, : some.start], own, x[:, some.stop :]], dim=1)
        embedding = target.forward_text(whole, some.ids, shared=some.start).embedding
        along = (embedding @ directions.T).sum(dim=0)
        squares = torch.zeros(own.shape[:2], dtype=torch.float64, device=own.device)
        for number in range(len(directions)):
            # One backward pass per direction: measured 1.0-1.1 times a batched gradient and half
            # of a replicated batch on CPU, with an eighth of their memory.
            (gradient,) = torch.autograd.grad(
                along[number], own, retain_graph=number + 1 < len(directions)
            )
            squares += gradient.double().square().sum(dim=2)
    return squares / len(directions), own.detach().double().square().sum(dim=2)


def _all_passes(
    target: Target,
    texts: Sequence[str],
    prompts: Sequence[str],
    batch: int,
    step: Callable[[int], None],
) -> Iterator[PromptPass]:
    advance = whole_units(step, len(prompts))
    for prompt in prompts:
        for some in prompt_passes(target, texts, prompt, batch):
            yield some
            advance(len(some.rows))


def _rows_with_gradients(target: Target, batch: int) -> int:
    """Rows of a pass that keeps its activations: a function of the tower and the batch alone."""
    positions = 16 if target.context_length > 16 else target.context_length  # most names' prompts
    row = 64 * target.layers * positions * target.width
    while batch > 16 and batch * row > _GRAPH_BYTES:
        batch //= 2
    return batch

"""Family 3 of docs/method.md (ours): the size of the Jacobian of a text's embedding in its tokens.

The one law: only the positions of the text's own tokens are touched, with directions that are the
same for every text. A text that the model has learnt sits in a flat place.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuni.features.families.jacobian import JacobianSpec
from tuni.features.prompt_embeddings import all_passes
from tuni.features.prompts import PromptPass
from tuni.hashing import derive_seed
from tuni.model.target import Target

_TINY = 1e-30  # of the squared Jacobian: keeps a dead direction finite
_GRAPH_BYTES = 1 << 30  # activations that one pass with gradients may keep, about


def columns(
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
    rows_at_once = _rows_with_gradients(target, batch, len(directions))
    for some in all_passes(target, texts, spec.prompts, rows_at_once, step):
        squares, lengths = _squared_jacobian(target, some, directions)
        for column, weighted in enumerate((squares * lengths, squares)):
            found = -weighted.sum(dim=1).clamp_min(_TINY).log()
            sums[some.rows, column] += found[: len(some.rows)].cpu().numpy()
    means = (sums / len(spec.prompts)).astype(np.float32)
    return {"jacobian_relative": means[:, :1], "jacobian_absolute": means[:, 1:]}


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
        # All directions in one backward pass: measured .86 of one pass each on a CPU.
        one_each = torch.eye(len(directions), device=own.device)
        (gradients,) = torch.autograd.grad(along, own, one_each, is_grads_batched=True)
    squares = gradients.double().square().sum(dim=(0, 3))
    return squares / len(directions), own.detach().double().square().sum(dim=2)


def _rows_with_gradients(target: Target, batch: int, directions: int) -> int:
    """Rows of a pass that keeps its activations: a function of tower, batch and directions."""
    # Most names' prompts have up to 16 tokens; where padding stays, the context is computed.
    positions = min(16, target.context_length) if target.trimmed else target.context_length
    row = (64 * target.layers + 40 * directions) * positions * target.width
    while batch > 16 and batch * row > _GRAPH_BYTES:
        batch //= 2
    return batch

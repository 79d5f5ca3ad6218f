"""A causal text tower, run only where its result can change.

The one law: the result is open_clip's own (checked at load to 1e-5); only work is saved. A prompt
such as "a photo of Ada Roe" has seven tokens, four of which are the same for every text and, in
a causal tower, don't see the rest: their keys and values are computed once a batch. Of the last
block only the end-of-text position is read.
"""

from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor
from torch.nn import functional

_ALIGNED = 16  # float32 numbers in 64 bytes


def plain_blocks(blocks: Any) -> bool:  # Any: torch types attributes as Tensor | Module
    """Whether all blocks are open_clip's default ones, which `run_plain` can follow."""
    return all(
        type(block) is ResidualAttentionBlock
        and not hasattr(block, "ln_1_kv")
        and block.attn.batch_first
        and block.attn.in_proj_weight is not None
        and block.attn.bias_k is None
        for block in blocks
    )


def run_plain(blocks: Any, x: Tensor, ends: Tensor, shared: int, layers: int) -> list[Tensor]:
    """Residual stream at the end-of-text positions after the last blocks, earliest first.

    Args:
        blocks: The tower's blocks, as `plain_blocks` accepts them.
        x: Token embeddings with positions added, shape ``(n, L, width)``.
        ends: End-of-text position of each row, shape ``(n,)``, at or after ``shared``.
        shared: Leading positions that are equal in all rows; no gradient reaches them.
        layers: How many blocks before the last one to read as well.

    Returns:
        ``layers + 1`` tensors of shape ``(n, width)``.
    """
    rows = torch.arange(len(x), device=x.device)
    prefix, live, ends = x[:1, :shared].detach(), x[:, shared:], ends - shared
    # Row i of the mask: what the i-th live position may see, the prefix included.
    seen = torch.ones(live.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril(shared)
    read: list[Tensor] = []
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        key, value = _keys_values(block, block.ln_1(live))
        if shared:
            with torch.no_grad():
                before = _keys_values(block, block.ln_1(prefix))
                if not last:
                    whole = torch.ones(shared, shared, dtype=torch.bool, device=x.device).tril()
                    prefix = _advance(block, prefix, *before, whole)
            size = (len(x), -1, -1, -1)
            key = torch.cat([before[0].expand(size), key], dim=2)
            value = torch.cat([before[1].expand(size), value], dim=2)
        if last:
            end = _advance(block, live[rows, ends][:, None], key, value, seen[ends][:, None, None])
            read.append(end[:, 0])
        else:
            live = _advance(block, live, key, value, seen)
            if number >= len(blocks) - 1 - layers:
                read.append(live[rows, ends])
    return read


def _keys_values(block: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of positions, each of shape ``(n, heads, L, head_width)``."""
    attention, width = block.attn, normed.shape[-1]
    bias = attention.in_proj_bias
    both = functional.linear(
        normed, attention.in_proj_weight[width:], None if bias is None else bias[width:]
    )
    both = both.view(*normed.shape[:2], 2, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    return both[0], both[1]


def _advance(block: Any, x: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """Positions ``x`` after one block, given the keys and values that they may see."""
    attention, width = block.attn, x.shape[-1]
    bias = attention.in_proj_bias
    query = functional.linear(
        block.ln_1(x), attention.in_proj_weight[:width], None if bias is None else bias[:width]
    )
    query = query.view(*x.shape[:2], attention.num_heads, -1).transpose(1, 2)
    mixed = _attend(query, key, value, seen)
    x = x + block.ls_1(attention.out_proj(mixed.transpose(1, 2).reshape(x.shape)))
    advanced: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return advanced


def _attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """Attention of a few positions, ``(n, heads, q, head_width)`` from ``(n, heads, k, ..)``.

    Keys are padded to a multiple of 16, so that every small matrix starts at a 64-byte boundary:
    torch's fused kernel, whose buffers do not, gave the same row other last bits at other places
    of a batch as soon as two threads ran. It is no faster at these lengths.
    """
    pad = -key.shape[2] % _ALIGNED
    key, value = (functional.pad(tensor, (0, 0, 0, pad)) for tensor in (key, value))
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    scores = scores.masked_fill(~functional.pad(seen, (0, pad)), float("-inf"))
    weights: Tensor = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    return weights @ value

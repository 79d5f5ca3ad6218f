"""A plain vision transformer, run for the gradient of its pixels.

The one law: the result is open_clip's own (checked at load to 1e-5); only time is saved. Patches
that don't overlap are one matrix product; queries, keys and values are one product of contiguous
rows, which torch's own attention makes a batch of small ones of, at half the speed on a CPU; of
the last block only the class token is read.
"""

from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from tuni.model.text_tower import plain_blocks


def plain_vision(visual: Any) -> bool:  # Any: torch types attributes as Tensor | Module
    """Whether `run_vision` can follow an image tower: open_clip's default ViT, class token read."""
    return (
        type(visual) is VisionTransformer
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and not visual.output_tokens
        and isinstance(visual.patch_dropout, nn.Identity)
        and visual.transformer.batch_first
        and plain_blocks(visual.transformer.resblocks)
    )


def run_vision(visual: Any, pixels: Tensor) -> Tensor:
    """Image embeddings, not yet of unit length, shape ``(n, embed_dim)``; differentiable."""
    x = functional.linear(_patches(pixels, *visual.patch_size), visual.conv1.weight.flatten(1))
    first = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
    x = torch.cat([first, x], dim=1) + visual.positional_embedding.to(x.dtype)
    x = visual.ln_pre(x)
    blocks = visual.transformer.resblocks
    for number, block in enumerate(blocks):
        # Where the tower ends, the class token alone has to go on.
        x = _block(block, x, 1 if number == len(blocks) - 1 else x.shape[1])
    embedded: Tensor = visual.ln_post(x[:, 0])
    return embedded if visual.proj is None else embedded @ visual.proj


def _patches(pixels: Tensor, down: int, across: int) -> Tensor:
    """Patches row by row, flattened as the convolution's weights are: ``(n, patches, 3 d a)``."""
    count, colours, height, width = pixels.shape
    x = pixels.reshape(count, colours, height // down, down, width // across, across)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, colours * down * across)


def _block(block: Any, x: Tensor, kept: int) -> Tensor:
    """The first ``kept`` positions after one block; all positions are seen."""
    attention, width = block.attn, x.shape[-1]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    normed = block.ln_1(x)
    if kept == x.shape[1]:
        query, key, value = _heads(functional.linear(normed, weight, bias), attention.num_heads, 3)
    else:
        biases = (None, None) if bias is None else (bias[:width], bias[width:])
        own = functional.linear(normed[:, :kept], weight[:width], biases[0])
        others = functional.linear(normed, weight[width:], biases[1])
        (query,) = _heads(own, attention.num_heads, 1)
        key, value = _heads(others, attention.num_heads, 2)
    mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    x = x[:, :kept]
    x = x + block.ls_1(attention.out_proj(mixed.reshape(x.shape)))
    advanced: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return advanced


def _heads(x: Tensor, heads: int, parts: int) -> Tensor:
    """``(n, L, parts * width)`` as ``(parts, n, heads, L, head_width)``."""
    return x.view(*x.shape[:2], parts, heads, -1).permute(2, 0, 3, 1, 4)

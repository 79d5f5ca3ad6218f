"""The model under audit, as little of it as the features need.

The one law: a target is frozen. It never trains, never draws random numbers and never asks the
network, and equal fingerprints mean equal features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TextOutput:
    """What one forward pass through the text tower yields.

    Attributes:
        embedding: Unit text embeddings, float32, shape ``(n, embed_dim)``.
        hidden: Residual stream at the end-of-text position before the final layer norm, float32,
            each of shape ``(n, width)``: entry 0 after the last block, entry 1 one block before.
    """

    embedding: Tensor
    hidden: tuple[Tensor, ...]


class Target(Protocol):
    """A CLIP-like model that features can be computed on.

    Laws, which the conformance tests check: parameters need no gradients; equal input gives
    bit-equal output; ``forward_text(token_embeddings(ids), ids)`` is the model's own text
    encoder; gradients reach ``x`` and ``pixels``.
    """

    @property
    def fingerprint(self) -> str:
        """SHA-256 over settings and weights, 64 hexadecimal digits."""
        ...

    @property
    def embed_dim(self) -> int:
        """Size of the space that texts and images share."""
        ...

    @property
    def width(self) -> int:
        """Size of the text tower's residual stream."""
        ...

    @property
    def layers(self) -> int:
        """Blocks of the text tower."""
        ...

    @property
    def context_length(self) -> int:
        """Most tokens of a text, start and end tokens included."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the square input image in pixels."""
        ...

    @property
    def device(self) -> str:
        """Device of the weights, as torch names it."""
        ...

    def token_counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text with start and end token, uncut, shape ``(n,)``."""
        ...

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, int64, shape ``(n, L)``, L the longest of the batch.

        Raises:
            TextError: A text is longer than the context or holds a special token; rows are named.
        """
        ...

    def token_embeddings(self, ids: Tensor) -> Tensor:
        """Token embeddings before positions are added, float32, shape ``(n, L, width)``."""
        ...

    def forward_text(self, x: Tensor, ids: Tensor, layers: int = 0, shared: int = 0) -> TextOutput:
        """Run the text tower from token embeddings; differentiable in ``x``.

        Args:
            x: Token embeddings before positions, shape ``(n, L, width)``.
            ids: The token ids, shape ``(n, L)``; they only say where each text ends.
            layers: How many hidden layers before the last one to return as well.
            shared: Leading positions whose embeddings are equal in all rows (a prompt's beginning)
                and which need no gradient; a causal tower computes them once.
        """
        ...

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Unit image embeddings, float32, shape ``(n, embed_dim)``; differentiable.

        Args:
            pixels: Normalised images, shape ``(n, 3, image_size, image_size)``.
        """
        ...

    def preprocess(self, image: Image.Image) -> Tensor:
        """One picture as the model expects it, shape ``(3, image_size, image_size)``."""
        ...

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

# Generic texts of several lengths, nobody's names: on them targets are checked at load.
SELF_CHECK = (
    "a",
    "a photo of a dog",
    "two red boats on a lake",
    "x7 q!",
    "this is a portrait",
    "snow",
    "a quiet street at night",
    "bread and butter",
)


@dataclass(frozen=True, slots=True, eq=False)
class TextOutput:
    """What one forward pass through the text tower yields.

    Attributes:
        embedding: Unit text embeddings, float32, shape ``(n, embed_dim)``.
        hidden: Residual stream, before the norm that follows, of the state that the embedding is
            made from: at the end of the text, or wherever the tower is read. Float32, each of shape
            ``(n, width)``: entry 0 after the last block, entry 1 one block before.
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
        """Most tokens of a text, marks included."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the square input image in pixels."""
        ...

    @property
    def device(self) -> str:
        """Device of the weights, as torch names it."""
        ...

    @property
    def trimmed(self) -> bool:
        """Whether rows are as long as the longest text, and not as the context."""
        ...

    @property
    def marks(self) -> tuple[int, int]:
        """How many tokens stand before a text and after it, as start and end tokens do."""
        ...

    @property
    def special_words(self) -> frozenset[str]:
        """Words that the tokenizer takes for marks, beyond those that `refusal` knows."""
        ...

    def token_counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text with its marks, uncut, shape ``(n,)``."""
        ...

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, int64, shape ``(n, L)``, L the longest of the batch or the context.

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
            ids: The token ids, shape ``(n, L)``; they only say where each text stands.
            layers: How many hidden layers before the last one to return as well.
            shared: Leading positions whose embeddings are equal in all rows (a prompt's beginning)
                and which need no gradient; a causal tower may compute them once.
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

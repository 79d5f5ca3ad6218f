"""The model under audit, as little of it as the features need.

The one law: a target is frozen. It never trains, never draws random numbers and never asks the
network, and equal fingerprints mean equal features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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


@dataclass(frozen=True, slots=True)
class MediaSpace:
    """What a model sees or hears beside texts.

    Attributes:
        kind: Pictures or sounds.
        shape: Of one normalised input: colours, height and width of a picture; 1, frames and bands
            of a sound's spectrogram.
    """

    kind: Literal["picture", "sound"]
    shape: tuple[int, int, int]

    @classmethod
    def square(cls, side: int) -> "MediaSpace":
        """Square pictures of three colours, ``side`` pixels wide."""
        return cls("picture", (3, side, side))


class Target(Protocol):
    """A CLIP-like model that features can be computed on.

    Laws, which the conformance tests check: parameters need no gradients; equal input gives
    bit-equal output; ``forward_text(token_embeddings(ids), ids)`` is the model's own text
    encoder; gradients reach ``x`` and ``media``.
    """

    @property
    def fingerprint(self) -> str:
        """SHA-256 over settings and weights, 64 hexadecimal digits."""
        ...

    @property
    def embed_dim(self) -> int:
        """Size of the space that texts and media share."""
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
    def media(self) -> MediaSpace:
        """What is given to `encode_media`."""
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

    def key(self, text: str) -> bytes:
        """What a text is to the model: texts of equal keys are one text to it."""
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

    def encode_media(self, media: Tensor) -> Tensor:
        """Unit embeddings of pictures or sounds, float32, shape ``(n, embed_dim)``; differentiable.

        Args:
            media: Normalised inputs, mean near 0 and spread near 1, shape ``(n, *media.shape)``.
        """
        ...

    def preprocess(self, image: Image.Image) -> Tensor:
        """One picture as the model expects it, of the shape of its `media`.

        Raises:
            PictureError: The model sees no pictures.
        """
        ...

"""What all targets have in common: rows of ids, facts that do not change, and a device.

The one law: a text becomes ids in one place, so that what is counted, compared and encoded is one
row.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tuni.errors import CheckpointError
from tuni.model.target import MediaSpace
from tuni.model.token_ids import RowTokenizer, padded_rows


class FrozenTarget:
    """A target without its towers. `Target` tells what the methods do.

    Who inherits sets ``_embed_dim``, ``_width``, ``_layers`` and ``_trimmed`` once they are known.
    """

    _embed_dim: int
    _width: int
    _layers: int
    _trimmed: bool = False

    def __init__(
        self,
        *,
        tokenizer: RowTokenizer,
        context_length: int,
        media: MediaSpace,
        preprocess: Callable[[Image.Image], Tensor],
        fingerprint: str,
        step: int = 1,
    ) -> None:
        """Take what is known before a tower has run.

        Args:
            tokenizer: Whole rows of ids.
            context_length: Most tokens of a text, marks included.
            media: What the model sees or hears.
            preprocess: One picture as the model expects it.
            fingerprint: SHA-256 over all that moves features.
            step: What the lengths of padded rows are multiples of.
        """
        self._tokenizer, self._context_length, self._step = tokenizer, context_length, step
        self._media, self._preprocess, self._fingerprint = media, preprocess, fingerprint
        self._device = torch.device("cpu")

    @property
    def fingerprint(self) -> str:
        """SHA-256 over settings, weights, and the tokenizer where it is no part of the program."""
        return self._fingerprint

    @property
    def embed_dim(self) -> int:
        """Size of the space that texts and media share."""
        return self._embed_dim

    @property
    def width(self) -> int:
        """Size of the text tower's residual stream."""
        return self._width

    @property
    def layers(self) -> int:
        """Blocks of the text tower."""
        return self._layers

    @property
    def context_length(self) -> int:
        """Most tokens of a text, marks included."""
        return self._context_length

    @property
    def media(self) -> MediaSpace:
        """What the model sees or hears."""
        return self._media

    @property
    def device(self) -> str:
        """Device of the weights."""
        return str(self._device)

    @property
    def trimmed(self) -> bool:
        """Whether padding is left out; False where the tower lets it move the result."""
        return self._trimmed

    @property
    def marks(self) -> tuple[int, int]:
        """Tokens that the tokenizer puts before and after a text."""
        return self._tokenizer.marks

    @property
    def special_words(self) -> frozenset[str]:
        """Words that the tokenizer takes for marks, beyond those that are refused in every text."""
        return self._tokenizer.special_words

    def key(self, text: str) -> bytes:
        """The text's row of ids."""
        return np.array(self._tokenizer.row(text), dtype=np.int32).tobytes()

    def token_counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text with its marks, uncut."""
        return np.array([len(self._tokenizer.row(text)) for text in texts], dtype=np.int64)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, padded to the longest of the batch or to the context; nothing is ever cut."""
        rows = padded_rows(
            [self._tokenizer.row(text) for text in texts],
            marks=self.marks,
            specials=self._tokenizer.specials,
            context_length=self.context_length,
            padding=self._tokenizer.padding,
            full=not self._trimmed,
            step=self._step,
        )
        length = len(rows[0]) if rows else sum(self.marks)
        return torch.tensor(rows, dtype=torch.int64, device=self._device).view(-1, length)

    def preprocess(self, image: Image.Image) -> Tensor:
        """One picture as the model expects it."""
        return self._preprocess(image)

    def _move(self, model: nn.Module, device: str) -> None:
        """Put the weights where they are computed with.

        Raises:
            CheckpointError: The device cannot be used.
        """
        if device.startswith("cuda"):
            # cuBLAS reads it once, at its start; without it equal runs may differ in last bits.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        try:
            self._device = torch.device(device)
            model.to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise CheckpointError(
                f"device: {device!r} cannot be used here", "set device to 'cpu' or a present one"
            ) from error

"""An open_clip model as a `Target`.

The one law: the own text pass equals open_clip's encoder, checked at load; a tower for which that
cannot be had is refused, because its hidden states would not be what the features take them for.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.model import convert_weights_to_lp
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from tuni.errors import CheckpointError
from tuni.model.build import build_model
from tuni.model.checkpoint import Checkpoint, read_folder, read_weights
from tuni.model.image_tower import plain_vision, run_vision
from tuni.model.reading.source import CheckpointSource
from tuni.model.settings import plain_text
from tuni.model.target import SELF_CHECK, Target, TextOutput
from tuni.model.text_tower import plain_blocks, run_plain
from tuni.model.token_ids import TokenIds, padded_rows


def load(source: CheckpointSource, *, device: str, precision: Literal["fp32", "bf16"]) -> Target:
    """Load a checkpoint of open_clip's; see `tuni.model.registry.Load`."""
    if source.architecture is not None and source.weights is not None:
        checkpoint = read_weights(source.architecture, source.weights, source.preprocess)
    else:
        checkpoint = read_folder(source.folder or Path(), source.weights)
    if plain_text(checkpoint.model_cfg):
        return OpenClipTarget(checkpoint, device=device, precision=precision)
    from tuni.model.hooks.open_clip import hooked_model
    from tuni.model.hooks.target import HookedTarget

    hooked = hooked_model(checkpoint, source.folder)
    return HookedTarget(hooked, device=device, precision=precision)


class OpenClipTarget:
    """An open_clip model, frozen. `Target` tells what the methods do.

    Its own text pass trims padding (a name fills about 9 of 77 positions), which a causal tower
    allows; at load it is compared with open_clip's own encoder on eight texts, and where trimming
    moves the result the full context is used.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "cpu",
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        """Build the model and check the own text pass against open_clip's.

        Raises:
            CheckpointError: The settings and weights disagree, the text tower is of another kind,
                or the device cannot be used.
        """
        model: Any = build_model(checkpoint, precision)  # Any: torch types attributes loosely
        text: Any = getattr(model, "text", model)
        if not hasattr(text, "transformer") or not hasattr(text, "positional_embedding"):
            raise _unsupported_tower()
        self._model, self._text = model, text
        self._tokenizer = SimpleTokenizer(
            context_length=model.context_length,
            **(checkpoint.model_cfg["text_cfg"].get("tokenizer_kwargs") or {}),
        )
        self._encode = TokenIds(self._tokenizer)
        self._specials = frozenset(self._tokenizer.all_special_ids)
        self._pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", None)
        self._preprocess = image_transform_v2(
            PreprocessCfg(**checkpoint.preprocess_cfg), is_train=False
        )
        self._fingerprint = checkpoint.fingerprint
        self._image_size = int(checkpoint.preprocess_cfg["size"])
        self._embed_dim = int(checkpoint.model_cfg["embed_dim"])
        self._device, self._dtype = torch.device("cpu"), torch.float32
        # Only a causal tower can leave out what comes after, or share what comes before.
        blocks = text.transformer.resblocks
        self._plain = text.attn_mask is not None and plain_blocks(blocks)
        self._trimmed = self._check_text_tower()
        self._plain_vision = self._check_image_tower()
        self._to(device, precision)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over settings and weights."""
        return self._fingerprint

    @property
    def embed_dim(self) -> int:
        """Size of the space that texts and images share."""
        return self._embed_dim

    @property
    def width(self) -> int:
        """Size of the text tower's residual stream."""
        return int(self._text.positional_embedding.shape[1])

    @property
    def layers(self) -> int:
        """Blocks of the text tower."""
        return len(self._text.transformer.resblocks)

    @property
    def context_length(self) -> int:
        """Most tokens of a text, start and end tokens included."""
        return int(self._model.context_length)

    @property
    def image_size(self) -> int:
        """Side of the square input image in pixels."""
        return self._image_size

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
        """Tokens before and after a text."""
        return 1, 1

    @property
    def special_words(self) -> frozenset[str]:
        """None beyond those that are refused in every text."""
        return frozenset()

    def token_counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text with start and end token, uncut."""
        return np.array([len(self._encode(text)) + 2 for text in texts], dtype=np.int64)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, padded to the longest of the batch; nothing is ever cut."""
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        rows = padded_rows(
            [[start, *self._encode(text), end] for text in texts],
            marks=self.marks,
            # open_clip reads these words inside a text as the real marks, which would end it there.
            specials=self._specials,
            context_length=self.context_length,
            padding=0,
            full=not self._trimmed,
        )
        length = len(rows[0]) if rows else 2
        return torch.tensor(rows, dtype=torch.int64, device=self._device).view(-1, length)

    def token_embeddings(self, ids: Tensor) -> Tensor:
        """Token embeddings before positions are added."""
        found: Tensor = self._text.token_embedding(ids)
        return found.float()

    def forward_text(self, x: Tensor, ids: Tensor, layers: int = 0, shared: int = 0) -> TextOutput:
        """Run the text tower from token embeddings; differentiable in ``x``."""
        text, length = self._text, x.shape[1]
        ends = self._ends(ids)
        x = x.to(self._dtype) + text.positional_embedding[:length].to(self._dtype)
        if self._plain:
            hidden = run_plain(text.transformer.resblocks, x, ends, shared, layers)
        else:
            hidden = self._run_blocks(x, ends, layers)
        last = text.ln_final(hidden[-1])
        if isinstance(text.text_projection, nn.Module):
            last = text.text_projection(last)
        elif text.text_projection is not None:
            last = last @ text.text_projection
        return TextOutput(
            functional.normalize(last.float(), dim=-1), tuple(h.float() for h in reversed(hidden))
        )

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Unit image embeddings; differentiable."""
        pixels = pixels.to(self._device, self._dtype)
        found: Tensor
        if self._plain_vision:
            found = run_vision(self._model.visual, pixels)
        else:
            found = self._model.encode_image(pixels)
        return functional.normalize(found.float(), dim=-1)

    def preprocess(self, image: Image.Image) -> Tensor:
        """One picture as the model expects it."""
        pixels: Tensor = self._preprocess(image)
        return pixels

    def _run_blocks(self, x: Tensor, ends: Tensor, layers: int) -> list[Tensor]:
        """Residual stream at the ends after the last blocks, for towers of other blocks."""
        mask = self._text.attn_mask
        if mask is not None:
            mask = mask[: x.shape[1], : x.shape[1]].to(self._dtype)
        rows = torch.arange(len(x), device=x.device)
        read: list[Tensor] = []
        for number, block in enumerate(self._text.transformer.resblocks):
            x = block(x, attn_mask=mask)
            if number >= self.layers - 1 - layers:
                read.append(x[rows, ends])
        return read

    def _ends(self, ids: Tensor) -> Tensor:
        """Position whose state is the text's, by the tower's own rule."""
        if self._pool == "argmax":
            return ids.argmax(dim=-1)
        if self._pool == "eos":
            return torch.eq(ids, self._text.eos_id).int().argmax(dim=-1)
        if self._pool in ("first", "last"):
            position = 0 if self._pool == "first" else ids.shape[1] - 1
            return torch.full((len(ids),), position, device=ids.device)
        raise _unsupported_tower()

    def _check_text_tower(self) -> bool:
        """Whether the own pass equals open_clip's with trimming (else without, else refuse)."""
        full = self._tokenizer(list(SELF_CHECK), context_length=self.context_length)
        with torch.no_grad():
            expected = functional.normalize(self._model.encode_text(full), dim=-1)
            if torch.allclose(expected, expected[:1].expand_as(expected), atol=1e-5):
                raise CheckpointError(
                    "model_cfg.text_cfg: every text has the same embedding, as where a causal "
                    "tower is read at its first position",
                    "use the settings that the model was trained with (pool_type, eos_id)",
                )
            short = full[:, : int((full != 0).sum(dim=1).max())]
            for ids, trimmed in ((short, True), (full, False)):
                found = self.forward_text(self.token_embeddings(ids), ids).embedding
                if found.shape == expected.shape and (found - expected).abs().max() <= 1e-5:
                    return trimmed
        raise _unsupported_tower()

    def _check_image_tower(self) -> bool:
        """Whether the own image pass is there for this tower and equals open_clip's."""
        if not plain_vision(self._model.visual):
            return False
        size = self._image_size
        pixels = torch.linspace(-2, 2, 3 * size * size).sin().view(1, 3, size, size)
        with torch.no_grad():
            expected, found = (
                functional.normalize(embedded, dim=-1)
                for embedded in (
                    self._model.encode_image(pixels),
                    run_vision(self._model.visual, pixels),
                )
            )
        return bool((found - expected).abs().max() <= 1e-5)

    def _to(self, device: str, precision: Literal["fp32", "bf16"]) -> None:
        if device.startswith("cuda"):
            # cuBLAS reads it once, at its start; without it equal runs may differ in last bits.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        try:
            self._device = torch.device(device)
            self._model.to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise CheckpointError(
                f"device: {device!r} cannot be used here", "set device to 'cpu' or a present one"
            ) from error
        if precision == "bf16":
            convert_weights_to_lp(self._model, torch.bfloat16)
            self._dtype = torch.bfloat16


def _unsupported_tower() -> CheckpointError:
    return CheckpointError(
        "model_cfg.text_cfg: the text tower is not a plain CLIP transformer, so its hidden states "
        "cannot be read",
        "audit a CLIP checkpoint (RN*, ViT-*, or a custom_text one with pool_type argmax or last)",
    )

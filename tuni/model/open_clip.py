"""An open_clip model as a `Target`.

The one law: the own text pass equals open_clip's encoder, checked at load; a tower for which that
cannot be had is refused, because its hidden states would not be what the features take them for.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from open_clip.model import convert_weights_to_lp
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor, nn
from torch.nn import functional

from tuni.errors import CheckpointError
from tuni.model.build import build_model
from tuni.model.checkpoint import Checkpoint, read_folder, read_weights
from tuni.model.frozen import FrozenTarget
from tuni.model.image_tower import plain_vision, run_vision
from tuni.model.reading.source import CheckpointSource
from tuni.model.settings import causal_text, plain_text
from tuni.model.target import SELF_CHECK, MediaSpace, Target, TextOutput
from tuni.model.text_tower import plain_blocks, run_plain
from tuni.model.token_ids import RowTokenizer, SimpleRows


def load(source: CheckpointSource, *, device: str, precision: Literal["fp32", "bf16"]) -> Target:
    """Load a checkpoint of open_clip's; see `tuni.model.registry.Load`."""
    if source.architecture is not None and source.weights is not None:
        checkpoint = read_weights(source.architecture, source.weights, source.preprocess)
    else:
        checkpoint = read_folder(source.folder or Path(), source.weights)
    if plain_text(checkpoint.model_cfg):
        own = checkpoint.model_cfg["text_cfg"].get("tokenizer_kwargs") or {}
        rows: RowTokenizer = SimpleRows(SimpleTokenizer(**own))
        return OpenClipTarget(checkpoint, rows, device=device, precision=precision)
    if source.folder is not None and causal_text(checkpoint.model_cfg):
        from tuni.model.hooks.open_clip import folder_rows

        rows, fingerprint = folder_rows(checkpoint, source.folder)
        named = replace(checkpoint, fingerprint=fingerprint)
        return OpenClipTarget(named, rows, device=device, precision=precision)
    from tuni.model.hooks.open_clip import hooked_model
    from tuni.model.hooks.target import HookedTarget

    hooked = hooked_model(checkpoint, source.folder)
    return HookedTarget(hooked, device=device, precision=precision)


class OpenClipTarget(FrozenTarget):
    """An open_clip model, frozen. `Target` tells what the methods do.

    Its own text pass trims padding (a name fills about 9 of 77 positions), which a causal tower
    allows; at load it is compared with open_clip's own encoder on eight texts, and where trimming
    moves the result the full context is used.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tokenizer: RowTokenizer,
        *,
        device: str = "cpu",
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        """Build the model and check the own text pass against open_clip's.

        Args:
            checkpoint: Settings and weights.
            tokenizer: Whole rows of ids.
            device: Where to compute, as torch names it.
            precision: Type of the forward passes.

        Raises:
            CheckpointError: The settings and weights disagree, the text tower is of another kind,
                or the device cannot be used.
        """
        model: Any = build_model(checkpoint, precision)  # Any: torch types attributes loosely
        text: Any = getattr(model, "text", model)
        if not hasattr(text, "transformer") or not hasattr(text, "positional_embedding"):
            raise _unsupported_tower()
        size = int(checkpoint.preprocess_cfg["size"])
        super().__init__(
            tokenizer=tokenizer,
            context_length=int(model.context_length),
            media=MediaSpace.square(size),
            preprocess=image_transform_v2(
                PreprocessCfg(**checkpoint.preprocess_cfg), is_train=False
            ),
            fingerprint=checkpoint.fingerprint,
        )
        self._model, self._text = model, text
        self._width = int(text.positional_embedding.shape[1])
        self._layers = len(text.transformer.resblocks)
        self._embed_dim = int(checkpoint.model_cfg["embed_dim"])
        self._pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", None)
        ends = (getattr(text, name, None) for name in ("text_eos_id", "eos_id"))
        self._end = next((int(end) for end in ends if end is not None), -1)
        self._dtype = torch.float32
        # Only a causal tower can leave out what comes after, or share what comes before.
        blocks = text.transformer.resblocks
        self._plain = text.attn_mask is not None and plain_blocks(blocks)
        self._trimmed = self._check_text_tower()
        self._plain_vision = self._check_image_tower()
        self._move(model, device)
        if precision == "bf16":
            convert_weights_to_lp(model, torch.bfloat16)
            self._dtype = torch.bfloat16

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

    def encode_media(self, media: Tensor) -> Tensor:
        """Unit image embeddings; differentiable."""
        pixels = media.to(self._device, self._dtype)
        found: Tensor
        if self._plain_vision:
            found = run_vision(self._model.visual, pixels)
        else:
            found = self._model.encode_image(pixels)
        return functional.normalize(found.float(), dim=-1)

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
            return torch.eq(ids, self._end).int().argmax(dim=-1)
        if self._pool in ("first", "last"):
            position = 0 if self._pool == "first" else ids.shape[1] - 1
            return torch.full((len(ids),), position, device=ids.device)
        raise _unsupported_tower()

    def _check_text_tower(self) -> bool:
        """Whether the own pass equals open_clip's with trimming (else without, else refuse)."""
        counts = self.token_counts(SELF_CHECK)
        full = self.tokenize(
            [text for text, n in zip(SELF_CHECK, counts, strict=True) if n <= self.context_length]
        )
        with torch.no_grad():
            expected = functional.normalize(self._model.encode_text(full), dim=-1)
            if torch.allclose(expected, expected[:1].expand_as(expected), atol=1e-5):
                raise CheckpointError(
                    "model_cfg.text_cfg: every text has the same embedding, as where a causal "
                    "tower is read at its first position",
                    "use the settings that the model was trained with (pool_type, eos_id)",
                )
            short = full[:, : int(counts.max())]
            for ids, trimmed in ((short, True), (full, False)):
                found = self.forward_text(self.token_embeddings(ids), ids).embedding
                if found.shape == expected.shape and (found - expected).abs().max() <= 1e-5:
                    return trimmed
        raise _unsupported_tower()

    def _check_image_tower(self) -> bool:
        """Whether the own image pass is there for this tower and equals open_clip's."""
        if not plain_vision(self._model.visual):
            return False
        size = self.media.shape[1]
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


def _unsupported_tower() -> CheckpointError:
    return CheckpointError(
        "model_cfg.text_cfg: the text tower is not a plain CLIP transformer, so its hidden states "
        "cannot be read",
        "audit a CLIP checkpoint (RN*, ViT-*, or a custom_text one with pool_type argmax or last)",
    )

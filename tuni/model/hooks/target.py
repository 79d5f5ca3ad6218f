"""Any model whose library encodes texts, as a `Target`.

Texts are encoded by the library's own call. A hook at the token embedding puts the features' own
embeddings in its place, hooks at the blocks note the residual stream. So the result is the
library's by construction, and no forward pass is written a second time.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from tuni.errors import CheckpointError
from tuni.model.frozen import FrozenTarget
from tuni.model.hooks.families import Reading
from tuni.model.target import SELF_CHECK, MediaSpace, TextOutput
from tuni.model.token_ids import RowTokenizer

# Tokens: small matrices then begin at 64 bytes each. At other lengths the same row got other last
# bits at other places of a pass with eager attention, in each of the five towers that were swept.
_ALIGNED = 16


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HookedModel:
    """What a `HookedTarget` needs to know of a model.

    Attributes:
        model: The model, in evaluation mode, needing no gradients.
        tokenizer: Whole rows of ids.
        encode_text: Its own embeddings of ids ``(n, L)`` and their mask, 1 where there is text;
            of any length.
        encode_media: Its own embeddings of normalised pictures or sounds ``(n, *media.shape)``.
        embedding: Module of the token embeddings; is called once when texts are encoded.
        states: Modules, one a block of the text tower, where the residual stream is read.
        entering: Whether it is what goes into them, as where a block ends with a norm, whose
            result would have lost the length.
        reading: Position whose state the embedding is made from: of the end mark, of the largest
            id, the first, the last, or the mean of the text's.
        context_length: Most tokens of a text, marks included.
        media: What it sees or hears.
        preprocess: One picture as the model expects it.
        fingerprint: SHA-256 over settings, tokenizer and weights.
    """

    model: nn.Module
    tokenizer: RowTokenizer
    encode_text: Callable[[Tensor, Tensor], Tensor]
    encode_media: Callable[[Tensor], Tensor]
    embedding: nn.Module
    states: Sequence[nn.Module]
    entering: bool
    reading: Reading
    context_length: int
    media: MediaSpace
    preprocess: Callable[[Image.Image], Tensor]
    fingerprint: str


@dataclass(slots=True, eq=False)
class _Pass:
    """A pass through the text tower: what is put in, and what was noted."""

    x: Tensor
    states: list[Tensor] = field(default_factory=list)


class HookedTarget(FrozenTarget):
    """A model of another library, frozen. `Target` tells what the methods do.

    Padding is left out where that moves no embedding, which is tried at load.
    """

    def __init__(
        self, hooked: HookedModel, *, device: str, precision: Literal["fp32", "bf16"]
    ) -> None:
        """Install the hooks and see that they change nothing.

        Raises:
            CheckpointError: The model cannot be read by hooks, or the device cannot be used.
        """
        super().__init__(
            tokenizer=hooked.tokenizer,
            context_length=hooked.context_length,
            media=hooked.media,
            preprocess=hooked.preprocess,
            fingerprint=hooked.fingerprint,
            step=_ALIGNED,
        )
        self._hooked, self._layers = hooked, len(hooked.states)
        self._pass: ContextVar[_Pass | None] = ContextVar("pass", default=None)
        self._low = precision == "bf16"
        hooked.embedding.register_forward_hook(self._put)
        for module in hooked.states:
            if hooked.entering:
                module.register_forward_pre_hook(lambda _module, given: self._note(given))
            else:
                module.register_forward_hook(lambda _module, _given, result: self._note(result))
        with torch.no_grad():
            counts = self.token_counts(SELF_CHECK)
            fitting = zip(SELF_CHECK, counts <= self.context_length, strict=True)
            self._check_texts = [text for text, fits in fitting if fits]
            full = self.tokenize(self._check_texts)
            own = self._own(full)
            self._embed_dim = own.shape[1]
            self._check(full, own)
            self._trimmed = self._trims(full, own)
        self._move(hooked.model, device)

    def token_embeddings(self, ids: Tensor) -> Tensor:
        """Token embeddings before positions are added."""
        return _precise(self._hooked.embedding(ids))

    def forward_text(self, x: Tensor, ids: Tensor, layers: int = 0, shared: int = 0) -> TextOutput:
        """Run the text tower from token embeddings; differentiable in ``x``.

        ``shared`` saves nothing here: it only may where a tower is known to be causal.
        """
        noted = _Pass(x)
        token = self._pass.set(noted)
        try:
            embedding = self._own(ids)
        finally:
            self._pass.reset(token)
        states = reversed(noted.states[-1 - layers :])
        return TextOutput(embedding, tuple(self._read(state, ids) for state in states))

    def encode_media(self, media: Tensor) -> Tensor:
        """Unit embeddings of pictures or sounds; differentiable."""
        with self._precision():
            embedded = self._hooked.encode_media(media.to(self._device))
        return functional.normalize(_precise(embedded), dim=-1)

    def _own(self, ids: Tensor) -> Tensor:
        """Unit embeddings by the library's own call."""
        with self._precision():
            embedded = self._hooked.encode_text(ids, self._mask(ids))
        return functional.normalize(_precise(embedded), dim=-1)

    def _put(self, _module: nn.Module, _given: object, result: Tensor) -> Tensor | None:
        current = self._pass.get()
        return None if current is None else current.x.to(result.dtype)

    def _note(self, passed: Any) -> None:  # Any: blocks give a tensor or a tuple that begins so
        if (current := self._pass.get()) is not None:
            current.states.append(passed if isinstance(passed, Tensor) else passed[0])

    def _read(self, state: Tensor, ids: Tensor) -> Tensor:
        """The state that the embedding is made from, shape ``(n, width)``."""
        rows, reading = torch.arange(len(ids), device=ids.device), self._hooked.reading
        if reading == "mean":
            mask = self._mask(ids).to(state.dtype)[..., None]
            read = (state * mask).sum(dim=1) / mask.sum(dim=1)
        elif reading in ("first", "last"):
            read = state[:, 0 if reading == "first" else -1]
        else:
            read = state[rows, ids.argmax(dim=1) if reading == "largest" else self._ends(ids)]
        return _precise(read)

    def _ends(self, ids: Tensor) -> Tensor:
        """Position of each row's end mark, which may be the padding's id too."""
        end = -1 if self._tokenizer.end is None else self._tokenizer.end
        return torch.eq(ids, end).int().argmax(dim=1)

    def _mask(self, ids: Tensor) -> Tensor:
        """Where there is text, marks included, int64, shape ``(n, L)``."""
        if self._tokenizer.end is None:
            return torch.ones_like(ids)
        positions = torch.arange(ids.shape[1], device=ids.device)
        return (positions <= self._ends(ids)[:, None]).long()

    def _precision(self) -> torch.autocast:
        """Under bf16 norms and sums stay in float32."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._low)

    def _trims(self, ids: Tensor, own: Tensor) -> bool:
        """Whether the embeddings of texts shorter than the context are the same without padding."""
        counts = self.token_counts(self._check_texts)
        rows = np.flatnonzero(counts < self.context_length)
        if not len(rows):
            return False
        try:
            short = self._own(ids[rows, : int(counts[rows].max())])
        except RuntimeError:  # a tower whose mask is of the whole context
            return False
        return bool((short - own[rows]).abs().max() <= 1e-5)

    def _check(self, ids: Tensor, own: Tensor) -> None:
        """Refuse a model whose embeddings the hooks move, or do not reach."""
        x = self.token_embeddings(ids)
        self._width = int(x.shape[-1])
        embedded = self.forward_text(x, ids, layers=self.layers - 1)
        moved = self.forward_text(x + 0.1 * x.flip(0), ids).embedding
        shapes = {tuple(state.shape) for state in embedded.hidden}
        if (
            (embedded.embedding - own).abs().max() > 1e-5
            or torch.allclose(moved, own, atol=1e-5)
            or torch.allclose(own, own[:1].expand_as(own), atol=1e-5)
            or (len(embedded.hidden), shapes) != (self.layers, {(len(ids), self._width)})
        ):
            raise CheckpointError(
                "checkpoint: its text tower cannot be read, or gives every text one embedding",
                "use the settings and the tokenizer that the model was trained with",
            )


def text_states(text: Any, count: int) -> tuple[bool, list[nn.Module]]:
    """Where a text tower of transformers is read, one module a block.

    Args:
        text: The tower.
        count: Its blocks.

    Returns:
        Whether what enters the modules is read, and the modules: the norms that end the blocks,
        or the blocks.

    Raises:
        CheckpointError: It has no such list of blocks.
    """
    for module in text.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            blocks: Any = list(module)
            if all(hasattr(getattr(block, "output", None), "LayerNorm") for block in blocks):
                return True, [block.output.LayerNorm for block in blocks]
            return False, blocks
    raise CheckpointError(
        "checkpoint: the blocks of its text tower are not found",
        "audit a checkpoint of one of the families that the guide lists",
    )


def _precise(tensor: Tensor) -> Tensor:
    """Float32 at least."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))

"""open_clip's further models: SigLIP, CLIPA, CoCa, and text towers of transformers."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from open_clip.hf_configs import arch_dict
from open_clip.tokenizer import SimpleTokenizer, get_clean_fn
from open_clip.transform import PreprocessCfg, image_transform_v2

from tuni.errors import CheckpointError
from tuni.hashing import canonical_json
from tuni.model.build import build_model
from tuni.model.checkpoint import Checkpoint
from tuni.model.hooks.config import read_config
from tuni.model.hooks.families import Reading
from tuni.model.hooks.target import HookedModel, text_states
from tuni.model.hooks.tokenizer import (
    FolderTokenizer,
    imported_transformers,
    tokenizer_digest,
)
from tuni.model.settings import HUB_NAMES, SIMPLE_VOCABULARY
from tuni.model.target import MediaSpace
from tuni.model.token_ids import RowTokenizer, SimpleRows

# By the tower's own word for its pooling.
_READINGS: dict[str, Reading] = {
    "argmax": "largest", "eos": "end", "first": "first", "last": "last",
    "MeanPooler": "mean", "ClsPooler": "first", "ClsLastHiddenStatePooler": "first",
}  # fmt: skip


def hooked_model(checkpoint: Checkpoint, folder: Path | None) -> HookedModel:
    """What a hooked target needs to know of an open_clip model.

    Args:
        checkpoint: Its settings and weights.
        folder: Holds the tokenizer and the config of a text tower; None for open_clip's own.

    Raises:
        CheckpointError: The tokenizer is missing, or the text tower is of no known kind.
    """
    settings = checkpoint.model_cfg["text_cfg"]
    fingerprint = hashlib.sha256(checkpoint.fingerprint.encode())
    from_hub = bool(settings.get("hf_model_name"))
    if from_hub and folder is not None:
        imported_transformers()  # open_clip would say that it is missing in its own words
        fingerprint.update(canonical_json(read_config(folder, arch_dict)).encode())
    # Any: torch types attributes as Tensor | Module.
    model: Any = build_model(checkpoint, "fp32", folder)
    text = getattr(model, "text", model)
    if from_hub:
        embedding, pooling = text.transformer.get_input_embeddings(), type(text.pooler).__name__
        entering, states = text_states(text.transformer, text.transformer.config.num_hidden_layers)
    else:
        pooling = text.text_pool_type if text is model else text.pool_type
        embedding = text.token_embedding
        entering, states = False, list(text.transformer.resblocks)
    if getattr(text, "cls_emb", None) is not None:
        pooling = "last"  # of a state that the tower appends
    if pooling not in _READINGS:
        raise CheckpointError(
            f"model_cfg.text_cfg: a text tower that is read by {pooling!r} is not supported",
            "audit a checkpoint whose text embedding is made from one state, or from their mean",
        )
    tokenizer: RowTokenizer = SimpleRows(SimpleTokenizer())
    if folder is not None and any(settings.get(key) for key in HUB_NAMES):
        tokenizer = _folder_tokenizer(settings, embedding.num_embeddings, folder)
        fingerprint.update(tokenizer_digest(folder).encode())
    return HookedModel(
        model=model,
        tokenizer=tokenizer,
        encode_text=lambda ids, _mask: model.encode_text(ids),
        encode_media=model.encode_image,
        embedding=embedding,
        states=states,
        entering=entering,
        reading=_READINGS[pooling],
        context_length=int(settings.get("context_length", 77)),
        media=MediaSpace.square(int(checkpoint.preprocess_cfg["size"])),
        preprocess=image_transform_v2(PreprocessCfg(**checkpoint.preprocess_cfg), is_train=False),
        fingerprint=fingerprint.hexdigest(),
    )


def folder_rows(checkpoint: Checkpoint, folder: Path) -> tuple[RowTokenizer, str]:
    """A folder's tokenizer, and the fingerprint of a checkpoint that is read by it.

    Raises:
        CheckpointError: The tokenizer is missing, damaged, or another model's.
    """
    settings = checkpoint.model_cfg["text_cfg"]
    vocabulary = int(settings.get("vocab_size", SIMPLE_VOCABULARY))
    tokenizer = _folder_tokenizer(settings, vocabulary, folder)
    sha = hashlib.sha256(checkpoint.fingerprint.encode())
    sha.update(tokenizer_digest(folder).encode())
    return tokenizer, sha.hexdigest()


def _folder_tokenizer(settings: dict[str, Any], vocabulary: int, folder: Path) -> FolderTokenizer:
    options = settings.get("tokenizer_kwargs") or {}
    clean: Callable[[str], str] = get_clean_fn(options.get("clean", "whitespace"))
    return FolderTokenizer(
        folder,
        vocabulary,
        clean=clean,
        strip_separator=bool(options.get("strip_sep_token")),
    )

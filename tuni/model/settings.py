"""Settings of a model that somebody else wrote: every key known, every size in bounds.

The one law: nothing in them may make open_clip ask the network, run out of memory or return
something else than plain embeddings.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from tuni.errors import CheckpointError
from tuni.model.preprocessing import complete_preprocessing, known_keys

MODEL_KEYS = frozenset(
    {
        *("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"),
        *("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"),
    }
)
# Bounds far above every published model; a size beyond them is a mistake or an attack.
LIMITS = {
    "embed_dim": 8192,
    "width": 16384,
    "layers": 256,
    "heads": 256,
    "head_width": 1024,
    "patch_size": 256,
    "image_size": 1024,
    "context_length": 1024,
    "vocab_size": 1_000_000,
    "attn_pooler_queries": 4096,
    "attn_pooler_heads": 256,
}
SIMPLE_VOCABULARY = 49408  # ids of open_clip's bundled tokenizer
NETWORK_KEYS = ("hf_model_name", "hf_tokenizer_name", "hf_pooler_type", "hf_proj_type")


def check_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Model settings and complete preprocessing settings, all known and in bounds.

    Args:
        config: ``model_cfg`` and, maybe, ``preprocess_cfg``, as open_clip writes them.

    Raises:
        CheckpointError: A key is unknown, a value out of bounds, or a hub would be asked.
    """
    model_cfg = dict(config["model_cfg"])
    if "multimodal_cfg" in model_cfg:
        raise CheckpointError(
            "model_cfg.multimodal_cfg: CoCa models are not supported",
            "audit a CLIP checkpoint (RN*, ViT-* or a custom_text one with the plain tokenizer)",
        )
    known_keys(model_cfg, MODEL_KEYS, "model_cfg")
    for key, kind in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        if not isinstance(model_cfg.get(key), dict):
            raise CheckpointError(f"model_cfg.{key}: missing", "save the checkpoint again")
        known_keys(model_cfg[key], {field.name for field in fields(kind)}, f"model_cfg.{key}")
    if not isinstance(model_cfg.get("embed_dim"), int):
        raise CheckpointError("model_cfg.embed_dim: missing", "save the checkpoint again")
    vision, text = model_cfg["vision_cfg"], model_cfg["text_cfg"]
    _refuse_network(vision, text)
    for name, part in (("", model_cfg), ("vision_cfg.", vision), ("text_cfg.", text)):
        for key, value in part.items():
            _check_value(f"model_cfg.{name}{key}", key, value)
    _check_divisible(vision, text)
    if text.get("vocab_size", SIMPLE_VOCABULARY) < SIMPLE_VOCABULARY:
        raise CheckpointError(
            f"model_cfg.text_cfg.vocab_size: {text['vocab_size']} is less than the tokenizer's "
            f"{SIMPLE_VOCABULARY}",
            "only open_clip's own tokenizer is supported",
        )
    image_size = vision.get("image_size", CLIPVisionCfg.image_size)
    return model_cfg, complete_preprocessing(config.get("preprocess_cfg") or {}, image_size)


def _refuse_network(vision: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    """Refuse settings by which open_clip would load a name from a hub."""
    for key in NETWORK_KEYS:
        if text.get(key):
            raise CheckpointError(
                f"model_cfg.text_cfg.{key}: names a model or tokenizer of a hub",
                "only checkpoints that are complete on this machine can be audited",
            )
    timm = vision.get("timm_model_name")
    if timm is not None and not (
        isinstance(timm, str) and timm.replace("_", "").replace(".", "").isalnum()
    ):
        raise CheckpointError(
            "model_cfg.vision_cfg.timm_model_name: not the plain name of a timm architecture",
            "name the architecture alone; hubs and folders are not read",
        )
    if vision.get("timm_model_pretrained"):
        raise CheckpointError(
            "model_cfg.vision_cfg.timm_model_pretrained: would download weights",
            "set it to false; the checkpoint's own weights are used",
        )


def _check_value(name: str, key: str, value: object) -> None:
    """Refuse a size out of bounds, an odd type, and switches that change what towers return."""
    fix = "use the settings that the model was trained with"
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= 1e4):
        raise CheckpointError(f"{name}: {value} is out of bounds", fix)
    if key in LIMITS and not (key == "patch_size" and value is None):  # ResNets have none
        lengths = {"layers": 4, "image_size": 2}  # blocks of a ResNet's stages, height and width
        listed = isinstance(value, list) and len(value) == lengths.get(key)
        sizes = value if listed and isinstance(value, list) else [value]
        if not all(type(size) is int and 0 < size <= LIMITS[key] for size in sizes):
            raise CheckpointError(f"{name}: expected 1 to {LIMITS[key]}, not {value!r:.40}", fix)
    if key == "image_size" and isinstance(value, list) and len(set(value)) != 1:
        raise CheckpointError(f"{name}: only square images are supported", fix)
    if key in ("output_tokens", "embed_cls") and value:
        raise CheckpointError(f"{name}: only plain CLIP text and image towers are supported", fix)
    if key in _TABLES and value is not None:
        if not isinstance(value, dict):
            raise CheckpointError(f"{name}: not a table", fix)
        known_keys(value, _TABLES[key], name)
        for inner, allowed in _TABLES[key].items():
            if inner in value and not (
                type(value[inner]) is float and 0 < value[inner] < 1
                if allowed is None
                else value[inner] in allowed
            ):
                raise CheckpointError(f"{name}.{inner}: not a value that open_clip knows", fix)
    elif isinstance(value, dict) and key not in ("vision_cfg", "text_cfg"):
        raise CheckpointError(f"{name}: not a plain value", fix)


def _check_divisible(vision: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    width, heads = text.get("width", CLIPTextCfg.width), text.get("heads", CLIPTextCfg.heads)
    if width % heads:
        raise CheckpointError(
            f"model_cfg.text_cfg.heads: {heads} does not divide the width {width}",
            "use the settings that the model was trained with",
        )
    if "timm_model_name" in vision or isinstance(vision.get("layers"), list):
        return
    size, patch = (vision.get(key, getattr(CLIPVisionCfg, key)) for key in _SIZES)
    if type(patch) is not int or (size[0] if isinstance(size, list) else size) < patch:
        raise CheckpointError(
            "model_cfg.vision_cfg.patch_size: larger than the image, or missing",
            "use the settings that the model was trained with",
        )


# Tables inside a tower's settings: words that a key may have, or None for a number in (0, 1).
_TABLES: Mapping[str, Mapping[str, tuple[str, ...] | None]] = {
    "tokenizer_kwargs": {"clean": ("lower", "canonicalize", "whitespace")},
    "norm_kwargs": {"eps": None},
    "act_kwargs": {"approximate": ("none", "tanh")},
}
_SIZES = ("image_size", "patch_size")

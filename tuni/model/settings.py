"""Settings of a model that somebody else wrote: every key known, every size in bounds.

The one law: nothing in them may make open_clip ask the network, run out of memory or return
something else than plain embeddings.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from open_clip.coca_model import MultimodalCfg
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from tuni.errors import CheckpointError
from tuni.model.preprocessing import complete_preprocessing, known_keys

MODEL_KEYS = frozenset(
    {
        *("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"),
        *("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale", "multimodal_cfg"),
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
MOST_POSITIONS = 2**24  # numbers in the table of an image's positions; published ones have 2**21
SIMPLE_VOCABULARY = 49408  # ids of open_clip's bundled tokenizer
HUB_NAMES = ("hf_model_name", "hf_tokenizer_name")
POOLERS = ("mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler")


def plain_text(model_cfg: Mapping[str, Any]) -> bool:
    """Whether texts are read by open_clip's own tokenizer and by its plain transformer."""
    text = model_cfg["text_cfg"]
    return "multimodal_cfg" not in model_cfg and not any(
        text.get(key) for key in (*HUB_NAMES, "embed_cls", "output_tokens")
    )


def causal_text(model_cfg: Mapping[str, Any]) -> bool:
    """Whether open_clip's plain causal transformer reads the rows of another tokenizer."""
    text = model_cfg["text_cfg"]
    plain = {**model_cfg, "text_cfg": {**text, "hf_tokenizer_name": None}}
    return plain_text(plain) and not text.get("no_causal_mask")


def check_config(
    config: Mapping[str, Any], folder: Path | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Model settings and complete preprocessing settings, all known and in bounds.

    Args:
        config: ``model_cfg`` and, maybe, ``preprocess_cfg``, as open_clip writes them.
        folder: Where what a hub is named for lies: the tokenizer, and the config of a text tower.

    Raises:
        CheckpointError: A key is unknown, a value out of bounds, or a hub would be asked.
    """
    model_cfg = dict(config["model_cfg"])
    known_keys(model_cfg, MODEL_KEYS, "model_cfg")
    parts: dict[str, Any] = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg}
    if "multimodal_cfg" in model_cfg:
        parts["multimodal_cfg"] = MultimodalCfg
    for key, kind in parts.items():
        if not isinstance(model_cfg.get(key), dict):
            raise CheckpointError(f"model_cfg.{key}: missing", "save the checkpoint again")
        known_keys(model_cfg[key], {field.name for field in fields(kind)}, f"model_cfg.{key}")
    if not isinstance(model_cfg.get("embed_dim"), int):
        raise CheckpointError("model_cfg.embed_dim: missing", "save the checkpoint again")
    vision, text = model_cfg["vision_cfg"], model_cfg["text_cfg"]
    _refuse_network(vision, text, folder)
    plain = "multimodal_cfg" not in parts
    for name, part in (("", model_cfg), *((f"{key}.", model_cfg[key]) for key in parts)):
        for key, value in part.items():
            if plain and key in ("output_tokens", "embed_cls") and value:
                raise CheckpointError(
                    f"model_cfg.{name}{key}: belongs to CoCa, and there is no multimodal_cfg",
                    "use the settings that the model was trained with",
                )
            _check_value(f"model_cfg.{name}{key}", key, value)
    _check_divisible(vision, text)
    own = not any(text.get(key) for key in HUB_NAMES)
    if own and text.get("vocab_size", SIMPLE_VOCABULARY) < SIMPLE_VOCABULARY:
        raise CheckpointError(
            f"model_cfg.text_cfg.vocab_size: {text['vocab_size']} is less than the tokenizer's "
            f"{SIMPLE_VOCABULARY}",
            "use the settings that the model was trained with",
        )
    image_size = vision.get("image_size", CLIPVisionCfg.image_size)
    return model_cfg, complete_preprocessing(config.get("preprocess_cfg") or {}, image_size)


def _refuse_network(
    vision: Mapping[str, Any], text: Mapping[str, Any], folder: Path | None
) -> None:
    """Refuse settings by which open_clip would load a name from a hub."""
    for key in HUB_NAMES:
        if text.get(key) and folder is None:
            raise CheckpointError(
                f"model_cfg.text_cfg.{key}: names a model or tokenizer of a hub",
                "give a folder with open_clip_config.json, the weights and the tokenizer's files "
                "as checkpoint.folder; nothing is downloaded",
            )
    if text.get("hf_model_name") and folder is not None and not (folder / "config.json").is_file():
        raise CheckpointError(
            "model_cfg.text_cfg.hf_model_name: names a text tower of transformers, whose "
            "config.json is not in the folder",
            "copy it there from where the tower comes from; nothing is downloaded",
        )
    if text.get("hf_model_name") and text.get("hf_pooler_type", POOLERS[0]) not in POOLERS:
        raise CheckpointError(
            f"model_cfg.text_cfg.hf_pooler_type: expected one of {', '.join(POOLERS)}",
            "use the settings that the model was trained with",
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
    elif isinstance(value, dict) and not key.endswith("_cfg"):
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
    side = size[0] if isinstance(size, list) else size
    if type(patch) is not int or side < patch:
        raise CheckpointError(
            "model_cfg.vision_cfg.patch_size: larger than the image, or missing",
            "use the settings that the model was trained with",
        )
    if (side // patch) ** 2 * vision.get("width", CLIPVisionCfg.width) > MOST_POSITIONS:
        raise CheckpointError(
            "model_cfg.vision_cfg.patch_size: too small for an image of that size",
            "use the settings that the model was trained with",
        )


# Tables inside a tower's settings: words that a key may have, or None for a number in (0, 1).
_TABLES: Mapping[str, Mapping[str, tuple[str | bool, ...] | None]] = {
    "tokenizer_kwargs": {
        "clean": ("lower", "canonicalize", "whitespace"),
        "strip_sep_token": (True, False),
    },
    "norm_kwargs": {"eps": None},
    "act_kwargs": {"approximate": ("none", "tanh")},
}
_SIZES = ("image_size", "patch_size")

"""A config.json of transformers that nobody vouches for: sizes in bounds, no code, no hub."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from tuni.errors import CheckpointError
from tuni.model.reading.json_table import read_json

CONFIG = "config.json"
# Far above every published model: more would be built for hours, or not fit into memory.
_LIMITS = {
    "num_hidden_layers": 256, "num_layers": 256, "encoder_layers": 256, "decoder_layers": 256,
    "hidden_size": 16384, "d_model": 16384, "intermediate_size": 65536, "d_ff": 65536,
    "num_attention_heads": 256, "vocab_size": 2_000_000, "max_position_embeddings": 8192,
    "projection_dim": 8192, "image_size": 1024, "patch_size": 256, "depths": 256,
    "spec_size": 4096, "num_mel_bins": 1024, "patch_embeds_hidden_size": 4096,
}  # fmt: skip
# Who saved a config, when and in which precision; nothing that is computed follows from them.
_NOTES = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures"})
_OWN = "use the config that the model was saved with"


def read_config(folder: Path, model_types: Collection[str]) -> dict[str, Any]:  # Any: JSON values
    """The config of a folder, of one of some types of models, without notes on its saving.

    Args:
        folder: Holds `CONFIG`.
        model_types: Those that can be read.

    Raises:
        CheckpointError: It is no config, of another type, names code, says that the
            weights are quantised, or holds a size out of bounds.
    """
    config = read_json(folder / CONFIG, _OWN)
    if (kind := config.get("model_type")) not in model_types:
        raise CheckpointError(
            f"{CONFIG}: model_type {kind!r:.60} is not supported",
            f"audit a checkpoint of one of {', '.join(sorted(model_types))}",
        )
    _check(config, CONFIG)
    return _without_notes(config)


def _without_notes(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_notes(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if key not in _NOTES and not key.startswith("_")
    }


def _check(table: dict[str, Any], where: str) -> None:
    for key, value in table.items():
        name = f"{where}: {str(key)[:40]}"
        if key == "auto_map":
            raise CheckpointError(
                f"{name} names code that would have to run",
                "use a model that transformers has itself, and save it without auto_map",
            )
        if key in ("quantization_config", "compression_config") and value:
            raise CheckpointError(
                f"{name}: the weights are quantised, so their gradients are not the model's",
                "audit the checkpoint in float32, float16 or bfloat16",
            )
        if isinstance(value, dict):
            _check(value, name)
        elif key in _LIMITS and value is not None:
            sizes = value if isinstance(value, list) else [value]
            if not all(type(size) is int and 0 < size <= _LIMITS[key] for size in sizes):
                raise CheckpointError(f"{name}: expected 1 to {_LIMITS[key]}", _OWN)

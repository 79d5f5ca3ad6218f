"""How pictures are prepared for a model: every setting known, none of them guessed."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from difflib import get_close_matches
from typing import Any

from open_clip.pretrained import (
    get_pretrained_cfg,
    is_pretrained_cfg,
    list_pretrained_tags_by_model,
)
from open_clip.transform import PreprocessCfg

from tuni.errors import CheckpointError

_OWN = "use the settings that the model was trained with"
_KEYS = ("mean", "std", "interpolation", "resize_mode")


def preprocessing_of(architecture: str, tag: str | None = None) -> dict[str, Any]:
    """How open_clip prepares pictures for its own weights of an architecture.

    Args:
        architecture: open_clip's name.
        tag: Which of its weights; needed where they differ.

    Returns:
        Settings by open_clip's names; none (its defaults) where it has no weights.

    Raises:
        CheckpointError: The weights differ and no tag is given, or there is none of that tag.
    """
    tags = list_pretrained_tags_by_model(architecture)
    if tag is not None and not is_pretrained_cfg(architecture, tag):
        raise CheckpointError(
            f"checkpoint.preprocess: open_clip has no weights {tag[:60]!r} of this architecture",
            f"use one of {', '.join(tags)}" if tags else "leave it out",
        )
    kinds = {
        tuple(settings.items()): known
        for known in reversed(tags if tag is None else [tag])
        if (settings := _of_tag(architecture, known))
    }
    if len(kinds) > 1:
        raise CheckpointError(
            f"checkpoint.preprocess: missing; open_clip's weights of {architecture} were trained "
            "with pictures prepared in different ways, and the file does not say which",
            "set it to the tag of your weights, or to one whose pictures are prepared alike: "
            + ", ".join(repr(known) for known in sorted(kinds.values())),
        )
    return {key: value for settings in kinds for key, value in settings}


def _of_tag(architecture: str, tag: str) -> dict[str, Any]:  # Any: open_clip's own table
    known = get_pretrained_cfg(architecture, tag)
    return {key: known[key] for key in _KEYS if key in known}


def complete_preprocessing(given: object, image_size: object) -> dict[str, Any]:
    """Complete settings of the evaluation transform.

    Args:
        given: Some of them, as open_clip writes them.
        image_size: Of the image tower, which decides the size.

    Raises:
        CheckpointError: A key is unknown, or a value none that open_clip knows.
    """
    if not isinstance(given, dict):
        raise CheckpointError("preprocess_cfg: not a table", "save the checkpoint again")
    known_keys(given, {field.name for field in fields(PreprocessCfg)}, "preprocess_cfg")
    complete = asdict(PreprocessCfg()) | {k: v for k, v in given.items() if v is not None}
    complete["size"] = image_size[0] if isinstance(image_size, list) else image_size
    words = {
        "mode": ("RGB",),
        "interpolation": ("bicubic", "bilinear"),
        "resize_mode": ("shortest", "longest", "squash"),
    }
    for key, allowed in words.items():
        if complete[key] not in allowed:
            raise CheckpointError(
                f"preprocess_cfg.{key}: expected one of {', '.join(allowed)}",
                _OWN,
            )
    for key in ("mean", "std"):
        values = complete[key]
        if not (
            isinstance(values, (list, tuple))
            and len(values) == 3
            and all(isinstance(v, (int, float)) and abs(v) <= 10 for v in values)
            and (key == "mean" or all(v > 0 for v in values))
        ):
            raise CheckpointError(
                f"preprocess_cfg.{key}: expected three numbers",
                _OWN,
            )
        complete[key] = [float(v) for v in values]
    if type(complete["fill_color"]) is not int or not 0 <= complete["fill_color"] <= 255:
        raise CheckpointError("preprocess_cfg.fill_color: expected 0 to 255", "use 0")
    return complete


def known_keys(given: Iterable[object], known: Collection[str], where: str) -> None:
    """Refuse the first key that is not known, with the nearest one that is.

    Raises:
        CheckpointError: There is such a key.
    """
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise CheckpointError(
                f"{where}: unknown key {str(key)[:40]!r}",
                f"did you mean {near[0]!r}?" if near else _OWN,
            )

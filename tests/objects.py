"""What tests of several rooms are made of: small checkpoints, detectors, names, ports."""

import csv
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.model import ArrayModel
from tuni.features.spec import FeatureSpec
from tuni.texts.reference_parts import reference_parts

TEXT = {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
VISION = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 2}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"}


def tiny_settings(**changes: Any) -> dict[str, Any]:
    """open_clip's settings of a small CLIP; ``text_cfg`` and ``vision_cfg`` are merged."""
    text = TEXT | changes.pop("text_cfg", {})
    vision = changes.pop("vision_cfg", VISION)
    return {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text} | changes


def save_tiny(folder: Path, settings: Mapping[str, Any], seed: int = 0) -> Path:
    """Write a checkpoint with random weights as open_clip does; the global seed is left alone."""
    arguments = dict(settings)
    kind = CustomTextCLIP if arguments.pop("custom_text", False) else CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**arguments)
        for name, tensor in model.state_dict().items():
            # open_clip starts some weights at zero, which would hide a mistake.
            if name.endswith(("bn3.weight", "bias")):
                tensor.normal_(0.1, 0.1)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": settings, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def one_column_scorer(column: str, decoys: Any, gibberish: Any) -> Scorer:
    """A detector that gives a column as it is; decoys and gibberish have these scores."""
    model = ArrayModel("feature", (column,), {"sign": 1.0})
    return Scorer(model, np.asarray(decoys, float), np.asarray(gibberish, float), 1e-6)


def make_bundle(pair: Scorer, feature_spec: FeatureSpec, **changes: Any) -> Bundle:
    """A bundle around a scorer; ``changes`` are fields of it."""
    fields: dict[str, Any] = {
        "checkpoint": "tiny", "fingerprint": "f" * 64, "kind": "name", "single": None,
        "operating_point": 0.05, "seed": 1, "settings": {}, "evidence": {}, "versions": {},
    }  # fmt: skip
    return Bundle(pair=pair, feature_spec=feature_spec, **(fields | changes))


def latin_names(n: int) -> list[str]:
    """So many names, no two of which share a part."""
    parts = reference_parts("latin/en_US", n)
    return [f"{first} {last}" for first, last in zip(parts.firsts, parts.lasts, strict=True)]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV by its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

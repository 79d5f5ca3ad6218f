"""Models of true size with random weights, and lists of drawn names: nothing is downloaded.

As a script, with the name of an architecture and of a folder, it writes such a checkpoint.
"""

import copy
import json
import sys
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.factory import get_model_config
from open_clip.model import CLIP
from safetensors.torch import save_file

from tuni.bench.testbed.models import model_config
from tuni.bench.testbed.settings import CULTURES, TestbedSettings
from tuni.features.spec import FeatureSpec
from tuni.model.checkpoint import Checkpoint
from tuni.model.open_clip import OpenClipTarget
from tuni.model.token_ids import SimpleRows
from tuni.texts.name_lists import part_list
from tuni.texts.reference_parts import all_reference_parts

# A text tower alone is measured beside a small image tower, which costs nothing to build.
_SMALL_VISION = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}


@lru_cache(maxsize=2)
def model_of(architecture: str, *, text_only: bool = False) -> tuple[CLIP, dict[str, Any]]:
    """A stock open_clip model with seeded weights, and its settings; "testbed": the full one's."""
    if architecture == "testbed":
        settings = dict(model_config(TestbedSettings()))
    else:
        settings = copy.deepcopy(get_model_config(architecture))
    if text_only:
        settings["vision_cfg"] = _SMALL_VISION
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIP(**settings)
    return model.eval(), settings


def target_of(
    architecture: str, *, text_only: bool = False, precision: str = "fp32", device: str = "cpu"
) -> OpenClipTarget:
    """The same weights as a target."""
    model, settings = model_of(architecture, text_only=text_only)
    checkpoint = Checkpoint(settings, _preprocess(settings), model.state_dict(), "0" * 64)
    rows = SimpleRows(open_clip.SimpleTokenizer())
    return OpenClipTarget(checkpoint, rows, device=device, precision=precision)  # type: ignore[arg-type]


def write_checkpoint(architecture: str, folder: Path) -> None:
    """The same weights as a folder that a request can name."""
    model, settings = model_of(architecture)
    folder.mkdir()
    config = {"model_cfg": settings, "preprocess_cfg": _preprocess(settings)}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")


def _preprocess(settings: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    size = settings["vision_cfg"]["image_size"]
    return {**asdict(open_clip.transform.PreprocessCfg()), "size": size}


def names(count: int, seed: int = 0) -> list[str]:
    """Distinct drawn names of five cultures, parts by their share in the population."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        for culture in CULTURES:
            firsts, lasts = (part_list("latin", culture, kind) for kind in ("first", "last"))
            first, last = (
                rng.choice(len(part.parts), count, p=np.array(part.weights) / sum(part.weights))
                for part in (firsts, lasts)
            )
            share = -(-count // len(CULTURES))
            found |= dict.fromkeys(
                f"{firsts.parts[i]} {lasts.parts[j]}"
                for i, j in zip(first[:share], last[:share], strict=True)
            )
    mixed = rng.permutation(np.array(list(found), dtype=object))
    return [str(name) for name in mixed[:count]]


def default_spec() -> FeatureSpec:
    """The default features, neighbours included."""
    return FeatureSpec(parts=all_reference_parts())


if __name__ == "__main__":
    write_checkpoint(sys.argv[1], Path(sys.argv[2]))

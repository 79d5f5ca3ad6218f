"""Family 1 of docs/method.md: the paper's CLIP-guided inversion."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuni.features.family import Asked, Column, FeatureFamily, Inputs, Passes

if TYPE_CHECKING:
    from tuni.model.target import Target

LEARNING_RATE = 0.3  # of Adam on the pixels, in units of the normalised image space
# Images per pass by their pixels: bounds memory (a ViT-L/14 at 224 keeps 1 GB an image), and
# larger passes are no faster on a CPU.
_CPU_PIXELS, _GPU_PIXELS = 2**17, 2**21
_FEWEST, _CPU_MOST = 4, 32


@dataclass(frozen=True, slots=True)
class InversionSpec:
    """The paper's CLIP-guided inversion (arXiv 2405.14517, Algorithm 1); every number is ours.

    Attributes:
        prompt: Template of the inverted text, holding ``{}`` once.
        restarts: Independent random starts per text (n in the paper).
        steps: Optimiser steps per restart (m in the paper).
        curve: Fractions of ``steps`` at which the mean cosine is kept.
        seed: Seed of the starts, which are the same for every text.
    """

    prompt: str = "a photo of {}"
    restarts: int = 2
    steps: int = 20
    curve: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    seed: int = 0


def images_per_pass(target: "Target", batch: int) -> int:
    """Images per forward pass: a function of the model, the kind of device and the spec's batch."""
    area = math.prod(target.media.shape[1:])
    if str(target.device).startswith("cpu"):
        most = min(_CPU_MOST, _CPU_PIXELS // area)
    else:
        most = _GPU_PIXELS // area
    return min(batch, max(_FEWEST, most))


def _asked(asked: Asked) -> InversionSpec | None:
    if not asked.table["inversion"]:
        return None
    return InversionSpec(
        restarts=asked.table["inversion_restarts"],
        steps=asked.table["inversion_steps"],
        seed=asked.seed,
    )


_SPREADS = ("D_rms", "D_std", "D_cos")

FAMILY = FeatureFamily(
    name="inversion",
    spec=InversionSpec,
    extractor="tuni.features.extractors.inversion",
    columns=lambda _spec: (
        Column("inversion.S", directed=True),
        *(Column(f"inversion.{spread}") for spread in _SPREADS),
        Column("inversion.curve"),
    ),
    prompts=lambda spec: (spec.prompt,),
    asked=_asked,
    effort="high",
    inputs=lambda _spec: (
        Inputs(
            "inversion",
            {spread: ("inversion.S", f"inversion.{spread}") for spread in _SPREADS},
            asks="inversion.spread",
        ),
        Inputs("inversion.curve", {0: ("inversion.curve",)}),
    ),
    passes=lambda target, spec, batch: Passes(spec.restarts, images_per_pass(target, batch)),
    block=64,  # up to seconds a text: what is done should survive an interruption
    revision=2,  # the image tower's own blocks
    fixed={
        "learning_rate": LEARNING_RATE,
        "start_resolution": None,
        "total_variation": 0.0,
        "augmentations": 0,
        "paired_starts": True,
    },
)

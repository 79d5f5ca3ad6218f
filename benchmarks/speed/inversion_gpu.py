"""Inversion on a GPU: texts per second in bfloat16, and how far S is from float32's."""

from collections.abc import Iterator

import numpy as np
import torch
from models import names, target_of
from numpy.typing import NDArray
from timing import Row, figure, seconds

from tuni.features.extractors.inversion import columns
from tuni.features.families.inversion import InversionSpec


def measure(smoke: bool) -> Iterator[Row]:
    """One model after the other."""
    spec = InversionSpec(steps=5 if smoke else 20)
    listed = names(16 if smoke else 256)
    for architecture in ("ViT-B-32",) if smoke else ("ViT-B-32", "ViT-L-14"):
        yield _lower_precision(architecture, listed, spec, 1 if smoke else 5)


def _lower_precision(architecture: str, listed: list[str], spec: InversionSpec, rounds: int) -> Row:
    target = target_of(architecture, device="cuda")
    exact = columns(target, listed, spec, 256, lambda _n: None)["inversion.S"]
    target = target_of(architecture, precision="bf16", device="cuda")
    found: list[NDArray[np.float32]] = []

    def climb() -> None:
        found.append(columns(target, listed, spec, 256, lambda _n: None)["inversion.S"])
        torch.cuda.synchronize()

    climb()
    return figure(
        "inversion",
        f"{architecture}, bf16: {spec.restarts} restarts, {spec.steps} steps",
        [len(listed) / seconds(climb) for _ in range(rounds)],
        "texts/s",
        more={"S apart at most": float(np.abs(found[0] - exact).max())},
    )

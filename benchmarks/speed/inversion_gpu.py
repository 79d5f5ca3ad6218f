"""Inversion on a GPU: texts per second in bfloat16, and how far S is from float32's."""

from collections.abc import Iterator

import numpy as np
import torch
from models import names, target_of
from timing import Row, figure, seconds

from tuni.inversion import columns
from tuni.spec import InversionSpec


def measure(smoke: bool) -> Iterator[Row]:
    """One model after the other."""
    spec = InversionSpec(steps=5 if smoke else 20)
    listed = names(16 if smoke else 256)
    for architecture in ("ViT-B-32",) if smoke else ("ViT-B-32", "ViT-L-14"):
        found: dict[str, np.ndarray] = {}
        for precision in ("fp32", "bf16"):
            target = target_of(architecture, precision=precision, device="cuda")

            def climb(target=target, precision=precision) -> None:  # type: ignore[no-untyped-def]
                scores = columns(target, listed, spec, 256, lambda _n: None)["inversion.S"]
                found[precision] = scores[:, 0]
                torch.cuda.synchronize()

            climb()
            rates = [len(listed) / seconds(climb) for _ in range(1 if smoke else 5)]
            yield figure(
                "inversion", f"{architecture}, {precision}: {spec.restarts} restarts, "
                f"{spec.steps} steps", rates, "texts/s",
                apart=float(np.abs(found[precision] - found["fp32"]).max()),
            )  # fmt: skip

"""Loading the model under audit, and how many threads it gets."""

from pathlib import Path
from typing import Literal

import torch

from tuni.errors import CheckpointError
from tuni.model.reading.source import CheckpointSource
from tuni.model.registry import load_checkpoint
from tuni.model.target import Target


def load_target(
    folder: Path | None = None,
    *,
    architecture: str | None = None,
    weights: Path | None = None,
    preprocess: str | None = None,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Target:
    """Load a checkpoint safely: weights only, complete, finite, of a kind that is understood.

    Args:
        folder: A folder as open_clip or transformers saves it; or else give the next two.
        architecture: open_clip's name of an architecture.
        weights: Its weights file; beside a folder, one that stands in for the folder's.
        preprocess: Tag of open_clip's weights of the architecture whose pictures were prepared as
            for these, where its weights differ in that.
        device: Where to compute, as torch names it.
        precision: Type of the forward passes; bf16 keeps norms and results in float32.

    Raises:
        CheckpointError: The checkpoint is incomplete, damaged, unsafe or of an unsupported kind.
    """
    if (folder is None) == (architecture is None) or (
        (preprocess is not None) if architecture is None else weights is None
    ):
        raise CheckpointError(
            "checkpoint: expected a folder, or an architecture with a weights file",
            "set checkpoint.folder, or checkpoint.architecture and checkpoint.weights",
        )
    source = CheckpointSource(folder, architecture, weights, preprocess)
    return load_checkpoint(source, device=device, precision=precision)


SMALL_WIDTH = 256  # of a text tower (ours)


def limit_threads(target: Target, threads: int | None = None) -> None:
    """Set torch's threads: as asked, or one for a small text tower.

    On a busy machine two threads took up to three times as long as one for small towers.
    """
    threads = threads or (1 if target.width <= SMALL_WIDTH else None)
    if threads:
        torch.set_num_threads(threads)

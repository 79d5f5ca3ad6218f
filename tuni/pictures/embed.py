"""Pictures as the model sees them, and names to compare them with.

The one law: a picture's embedding does not depend on the pictures beside it.
"""

from collections.abc import Callable, Iterable
from itertools import islice

import torch
from PIL import Image
from torch import Tensor

from tuni.model.target import Target

BATCH = 16


def embed_pictures(
    target: Target,
    pictures: Iterable[Image.Image],
    step: Callable[[int], None] = lambda _units: None,
) -> Tensor:
    """Unit embeddings of pictures.

    Args:
        target: The audited checkpoint.
        pictures: Upright RGB, at least one; `BATCH` of them are held at once.
        step: Told the number of pictures just encoded.

    Returns:
        float32, on the CPU, shape ``(n, embed_dim)``.
    """
    found = []
    left = iter(pictures)
    while some := list(islice(left, BATCH)):
        found.append(embed_pixels(target, [target.preprocess(one) for one in some]))
        step(len(some))
    return torch.cat(found)


def embed_pixels(target: Target, pixels: list[Tensor]) -> Tensor:
    """The same of up to `BATCH` prepared pictures, in a pass of fixed shape: company is mute."""
    rows = [pixels[i % len(pixels)] for i in range(BATCH)]
    with torch.no_grad():
        found = target.encode_media(torch.stack(rows).to(target.device))
    return found[: len(pixels)].float().cpu()

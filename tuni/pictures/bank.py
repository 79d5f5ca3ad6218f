"""The bank: generic pictures, none of which shows a tested person, as the model sees them.

The one law: a bank is its pixels. File names, formats without loss, order and copies of a picture
move neither the digest nor the embeddings.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tuni.model.target import Target
from tuni.pictures.embed import BATCH, embed_pixels
from tuni.pictures.read import picture_files, read_picture
from tuni.progress import SILENT, Progress


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Embeddings of generic pictures.

    Attributes:
        embeddings: Unit image embeddings, read-only, in order of the pictures' digests, shape
            ``(count, embed_dim)``.
        digest: SHA-256 over the decoded pixels of all pictures, 64 hexadecimal digits.
        count: Distinct pictures.
    """

    embeddings: NDArray[np.float32]
    digest: str
    count: int


def load_bank(target: Target, folder: Path, *, progress: Progress = SILENT) -> Bank:
    """Read and encode every picture below a folder; a picture that stands twice counts once.

    Args:
        target: The audited checkpoint; the embeddings serve no other one.
        folder: Searched with its subfolders; other files and links are ignored.
        progress: Draws the stage.

    Raises:
        PictureError: There is no such folder or no picture in it, or one is unreadable or too
            large.
    """
    files = picture_files(folder)
    seen: dict[str, int] = {}
    embeddings: list[Tensor] = []
    waiting: list[Tensor] = []
    with progress.stage("bank", len(files)) as step:
        for file in files:
            name = file.relative_to(folder).as_posix()
            picture = read_picture(file, f"bank: {name!r}")
            digest = _pixels_digest(picture)
            if digest not in seen:
                seen[digest] = len(seen)
                waiting.append(target.preprocess(picture))
            if len(waiting) == BATCH:
                embeddings.append(embed_pixels(target, waiting))
                waiting = []
            step(1)
        if waiting:
            embeddings.append(embed_pixels(target, waiting))
    digests = sorted(seen)
    order = torch.tensor([seen[digest] for digest in digests])
    array = torch.cat(embeddings)[order].numpy()
    array.flags.writeable = False
    return Bank(array, hashlib.sha256("".join(digests).encode()).hexdigest(), len(digests))


def _pixels_digest(picture: Image.Image) -> str:
    shape = f"{picture.width}x{picture.height}:"
    return hashlib.sha256(shape.encode() + picture.tobytes()).hexdigest()

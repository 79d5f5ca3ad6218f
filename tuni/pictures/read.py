"""Pictures from disk: which files are taken, and how one is decoded safely.

The one law: a picture is upright RGB of a bounded size, or a `PictureError`; nothing is repaired.
"""

import os
import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, ImageOps

from tuni.errors import PictureError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
# Decoders of other formats start programs (EPS) or are seldom looked at (FLI, PSD).
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MAX_BYTES = 100_000_000
MAX_PIXELS = 50_000_000
# Resizing the short side of a strip to the model's size would blow the long one up.
MAX_SIDES_RATIO = 20

# What Pillow's decoders raise on damaged data.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    KeyError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def picture_files(folder: Path) -> tuple[Path, ...]:
    """Picture files below a folder by suffix, sorted; links and hidden names are left out.

    Raises:
        PictureError: There is no such folder, or it holds no picture.
    """
    if not folder.is_dir():
        raise PictureError(
            f"pictures: {str(folder)!r} is not a folder", "give the folder that holds the pictures"
        )
    found: list[Path] = []
    for root, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(root, name) for name in names if not name.startswith(".")]
        found += [path for path in paths if path.suffix.lower() in SUFFIXES and _is_plain(path)]
    if not found:
        raise PictureError(
            f"pictures: {str(folder)!r} holds no picture",
            f"put pictures ({', '.join(sorted(SUFFIXES))}) into it; links are not followed",
        )
    return tuple(sorted(found))


def read_picture(path: Path, label: str) -> Image.Image:
    """Decode one picture: first frame, turned as its EXIF data says, RGB.

    Args:
        path: The file.
        label: What a message calls it. A file may be named after a person: give a number there.

    Raises:
        PictureError: It is unreadable, damaged, of another format or too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(label, f"{size:,} bytes", f"{MAX_BYTES:,} bytes")
        with warnings.catch_warnings():
            # Pillow warns from its own, higher limit on; ours refuses below it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path, formats=_FORMATS)
        with opened as picture:
            short, long = sorted(picture.size)
            if short * long > MAX_PIXELS:
                raise _too_large(label, f"{short * long:,} pixels", f"{MAX_PIXELS:,} pixels")
            if long > MAX_SIDES_RATIO * short:
                raise _too_large(label, f"sides {long}:{short}", f"{MAX_SIDES_RATIO}:1")
            return ImageOps.exif_transpose(picture).convert("RGB")
    except _DAMAGED as error:
        raise PictureError(
            f"{label} cannot be read ({type(error).__name__})",
            "remove it, or replace it by a sound JPEG, PNG, WebP, BMP or GIF file",
        ) from error


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _too_large(label: str, came: str, limit: str) -> PictureError:
    return PictureError(
        f"{label} is too large: {came}, expected at most {limit}",
        "remove it, or replace it by a smaller copy",
    )

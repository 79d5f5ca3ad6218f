"""Which pictures belong to which subject of a list.

The one law: a message names the list's line and the picture's number, never a folder or a file,
which may be called after a person.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tuni.errors import PictureError
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import SubjectFile
from tuni.pictures.read import SUFFIXES, picture_files, read_picture
from tuni.texts.text import canonical

COLUMN = "pictures"  # of the list: files or folders below the folder of pictures


@dataclass(frozen=True, slots=True)
class SubjectPictures:
    """Pictures found for a list.

    Attributes:
        files: Picture files by the canonical text of the subject, each subject at least one.
        lines: Where each of them first stands in the list.
        left_out: Folders that belong to nobody on the list, and pictures that cannot be read.
    """

    files: Mapping[str, tuple[Path, ...]]
    lines: Mapping[str, int]
    left_out: int


def match_pictures(
    folder: Path, file: SubjectFile, wrong: Wrong, *, skip_bad: bool
) -> SubjectPictures:
    """Find the pictures of each subject and make sure that each can be read.

    Args:
        folder: Holds a folder for each subject, named by the text (spelling as `canonical`
            forgives it); or, where the list has a column ``pictures``, what the cells of that
            column name, separated by ``;``: files or folders, relative to ``folder``.
        file: The list.
        wrong: Is told of each line whose pictures are not there.
        skip_bad: Leave out what cannot be read or belongs to nobody, and count it.

    Raises:
        PictureError: No such folder; without ``skip_bad``, a picture that cannot be read or a
            folder that belongs to nobody.
        TextError: The list is no such table.
    """
    if not folder.is_dir():
        raise PictureError(
            f"pictures: {str(folder)!r} is not a folder", "name the folder of pictures"
        )
    named = COLUMN in file.columns
    folders = {} if named else _folders(folder)
    files: dict[str, tuple[Path, ...]] = {}
    lines: dict[str, int] = {}
    for line, row in file.rows():
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            continue
        key = canonical(text)
        if named:
            paths, missing = _named(folder, str(row.get(COLUMN) or ""))
            if missing:
                wrong.add(line, "column pictures names a picture that is not there", file.unit)
        else:
            paths = _within(folders.pop(key)) if key in folders else ()
        if paths:
            files[key] = tuple(dict.fromkeys((*files.get(key, ()), *paths)))
            lines.setdefault(key, line)
    if folders and not skip_bad:
        raise PictureError(
            f"pictures: {len(folders)} folders are called like nobody on the list",
            "name each folder by the text of the list, or leave them out (--skip-bad)",
        )
    return _readable(files, lines, len(folders), skip_bad=skip_bad, unit=file.unit)


def read_pictures(pictures: SubjectPictures, key: str) -> Iterator[Image.Image]:
    """The pictures of one subject, decoded safely one by one."""
    for number, path in enumerate(pictures.files[key], 1):
        yield read_picture(path, _label(pictures.lines[key], number, "line"))


def _readable(
    files: Mapping[str, tuple[Path, ...]],
    lines: Mapping[str, int],
    left_out: int,
    *,
    skip_bad: bool,
    unit: str,
) -> SubjectPictures:
    """Decode every picture once, so that a bad one is told before any work."""
    kept: dict[str, tuple[Path, ...]] = {}
    for key, paths in files.items():
        sound = []
        for number, path in enumerate(paths, 1):
            try:
                read_picture(path, _label(lines[key], number, unit))
            except PictureError:
                if not skip_bad:
                    raise
                left_out += 1
            else:
                sound.append(path)
        if sound:
            kept[key] = tuple(sound)
    return SubjectPictures(kept, lines, left_out)


def _label(line: int, number: int, unit: str) -> str:
    return f"pictures: {unit} {line}, picture {number}"


def _folders(folder: Path) -> dict[str, Path]:
    """Folders by what they are called like; links and hidden ones are left out."""
    return {
        canonical(path.name): path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    }


def _within(folder: Path) -> tuple[Path, ...]:
    """Pictures below a subject's folder; none where there is none."""
    try:
        return picture_files(folder)
    except PictureError:  # its message names the folder
        return ()


def _named(folder: Path, cell: str) -> tuple[tuple[Path, ...], bool]:
    """Pictures that a cell names, and whether one of them is not there."""
    found: list[Path] = []
    missing = False
    root = folder.resolve()
    for name in (part.strip() for part in re.split(r";", cell)):
        if not name:
            continue
        path = (folder / name).resolve()
        if not path.is_relative_to(root):
            missing = True
        elif path.is_dir():
            inside = _within(path)
            found += inside
            missing = missing or not inside
        elif path.is_file() and path.suffix.lower() in SUFFIXES:
            found.append(path)
        else:
            missing = True
    return tuple(found), missing

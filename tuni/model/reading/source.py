"""Where a checkpoint lies."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """Where a checkpoint lies.

    Attributes:
        folder: Its folder; or else the next two are given.
        architecture: open_clip's name of an architecture.
        weights: Its weights file; beside a folder, one that stands in for the folder's.
        preprocess: Tag of open_clip's weights of the architecture whose pictures were prepared as
            for these.
    """

    folder: Path | None = None
    architecture: str | None = None
    weights: Path | None = None
    preprocess: str | None = None

    def has(self, name: str) -> bool:
        """Whether there is a folder with a file of that name."""
        return self.folder is not None and (self.folder / name).is_file()

"""The folder in which the stages of a job find each other's results; never holds a text."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuni.errors import HomeError
from tuni.files import write_whole

CHOICE = "choice.json"
EVALUATION = "evaluation.json"
OUTCOME = "outcome.json"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Files are written whole or not at all.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: Path) -> "JobFolder":
        """Make the folder where it is missing.

        Raises:
            HomeError: It cannot be made.
        """
        try:
            (path / "figures").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path) from error
        return cls(path)

    def __truediv__(self, name: str) -> Path:
        """A path in the folder."""
        return self.path / name

    def keep(self, name: str, value: object) -> None:
        """Write a JSON file.

        Raises:
            HomeError: It cannot be written.
        """
        self.keep_text(name, json.dumps(value, indent=1, sort_keys=True))

    def keep_text(self, name: str, content: str) -> None:
        """Write a text file.

        Raises:
            HomeError: It cannot be written.
        """
        path = self.path / name
        try:
            write_whole(path, content)
        except OSError as error:
            raise _unwritable(path) from error

    def kept(self, name: str) -> Any:  # Any: JSON
        """What `keep` wrote, or None."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _unwritable(path: Path) -> HomeError:
    return HomeError(f"home: {path} cannot be written", "check rights and free space, then repeat")


DRAFT, FINAL = "bundle-draft", "bundle"

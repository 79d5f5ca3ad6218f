"""How long loops tell that they move, without knowing who draws it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Draws stages. The command line brings a real one; libraries default to `SILENT`."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open one stage of ``total`` units; the callable advances it by that many units."""
        ...


class SilentProgress:
    """Draws nothing."""

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Accept a stage and ignore its steps."""
        yield lambda _units: None


SILENT = SilentProgress()

"""What a person sees while a job runs: stages with a bar, a rate and the time left, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from tuni.progress import SILENT, Progress

# Prefect copies the context into its flows, so that a bar need not be a (stored) parameter.
current_progress: ContextVar[Progress] = ContextVar("current_progress", default=SILENT)

_PLAIN_EVERY_S = 10.0


class ConsoleProgress:
    """Draws bars on a terminal; elsewhere writes a line when a stage moves on."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Draw one stage of ``total`` units."""
        if not total:
            yield lambda _units: None
        elif self.console.is_terminal and not self.console.is_dumb_terminal:
            with self._bars() as bars:
                task = bars.add_task(label, total=total)
                yield lambda units: bars.advance(task, units)
        else:
            yield from self._lines(label, total)

    def _bars(self) -> Bars:
        return Bars(
            TextColumn("  {task.description}", justify="left"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )

    def _lines(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        started = last = time.monotonic()
        done = 0

        def advance(units: int) -> None:
            nonlocal done, last
            done += units
            now = time.monotonic()
            if now - last >= _PLAIN_EVERY_S and 0 < done < total:
                last = now
                left = (now - started) * (total - done) / done
                self._line(f"  {label}: {done:,} of {total:,}, about {left:.0f} s left")

        yield advance
        took = time.monotonic() - started
        if took >= 1:
            self._line(f"  {label}: {done:,} done in {took:.0f} s")

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

"""A home that lasts as long as a measurement."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.machine.environment import log_to, prepare
from flows.machine.settings import Settings


@contextmanager
def scratch_home() -> Iterator[tuple[Path, Settings]]:
    """A folder to work in, and the settings of a home in it; import nothing of Prefect before."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        home.mkdir(mode=0o700)
        os.environ["TUNI_HOME"] = str(home)
        settings = Settings(home=home)
        prepare(settings)
        log_to(home / "logs")
        yield Path(scratch), settings

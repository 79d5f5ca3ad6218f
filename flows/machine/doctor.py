"""What is installed, which devices there are, and whether the home is sound."""

import importlib.metadata
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from flows.machine.home import open_home
from flows.machine.settings import Settings
from registry.home import Home
from registry.keys.home_key import home_key
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from tuni.errors import TuniError

PACKAGES = (
    "tuni-audit", "torch", "open_clip_torch", "scikit-learn", "mlflow", "prefect", "optuna",
    "SQLAlchemy",
)  # fmt: skip
LOW_DISK_GIB = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        sound: Whether it can be used as it is.
        detail: What was found, and what to do where it is not sound.
    """

    name: str
    sound: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether everything can be used as it is."""
        return all(check.sound for check in self.checks)

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return {"sound": self.sound, "checks": [asdict(check) for check in self.checks]}

    def text(self) -> str:
        """One line per check."""
        return "\n".join(
            f"{'ok ' if check.sound else 'BAD'}  {check.name:<16} {check.detail}"
            for check in self.checks
        )


def examine(settings: Settings) -> Report:
    """Look at packages, devices, home, key, ledger and registry; repairs nothing."""
    checks = [Check("python", True, platform.python_version())]
    checks += [_package(name) for name in PACKAGES]
    checks.append(_devices())
    free = shutil.disk_usage(settings.home).free / 2**30
    checks.append(Check("disk", free >= LOW_DISK_GIB, f"{free:.1f} GiB free where the home lies"))
    home = open_home(settings)
    checks.append(Check("home", True, str(home.root)))
    checks.append(_try("key", lambda: f"in place, {len(home_key(home))} bytes, for you alone"))
    checks.append(_try("ledger", lambda: _ledger(home)))
    checks.append(
        _try(
            "registry",
            lambda: f"{len(ModelStore(home, settings.runs_uri).list())} registered models",
        )
    )
    return Report(tuple(checks))


def _ledger(home: Home) -> str:
    with Ledger.open(home) as ledger:
        return f"{ledger.describe()}; schema up to date, written with this key"


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "missing; run `make install`")


def _devices() -> Check:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("devices", True, ", ".join([f"cpu ({torch.get_num_threads()} threads)", *names]))


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except TuniError as error:
        return Check(name, False, f"{error.problem}; {error.fix}")

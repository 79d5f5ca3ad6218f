"""What the registry says about a model: values, without MLflow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tuni.errors import BundleError, RequestError
from tuni.visible import one_line

Alias = Literal["champion", "challenger", "previous"]
ALIASES: tuple[Alias, ...] = ("champion", "challenger", "previous")
MODEL_NAME = r"[a-z0-9][a-z0-9._-]{0,99}"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered detector.

    Attributes:
        name: Registered model, which is the checkpoint's name.
        version: Number, from 1.
        aliases: The aliases that point to it.
        tags: ``digest``, ``fingerprint``, ``job``, ``reason`` and what the job added.
        description: For people.
        run_id: The run that made it, or None.
        created_at: When, UTC.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    description: str
    run_id: str | None
    created_at: datetime

    @property
    def digest(self) -> str:
        """Digest of the bundle that was registered.

        Raises:
            BundleError: There is none.
        """
        if "digest" not in self.tags:
            raise BundleError(
                f"model {self.name} {self.version}: has no digest, so tuni did not register it",
                "choose another version: tuni models list",
            )
        return self.tags["digest"]

    def record(self) -> dict[str, object]:
        """As JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "aliases": list(self.aliases),
            "tags": dict(sorted(self.tags.items())),
            "description": self.description,
            "run_id": self.run_id,
            "created_at": self.created_at.isoformat(timespec="seconds"),
        }

    def text(self) -> str:
        """For a terminal: one line per fact."""
        facts = {
            "version": f"{self.name} {self.version}",
            "aliases": ", ".join(self.aliases) or "-",
            "created": f"{self.created_at:%Y-%m-%d %H:%M} UTC",
            "run": self.run_id or "-",
            **{one_line(key): one_line(self.tags[key]) for key in sorted(self.tags)},
        }
        width = max(len(key) for key in facts)
        lines = [f"{key:<{width}}  {value}" for key, value in facts.items()]
        return "\n".join([*lines, *([one_line(self.description)] if self.description else [])])


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """All versions of one checkpoint's detector.

    Attributes:
        name: The checkpoint's name.
        versions: How many there are.
        aliases: Alias to version number.
    """

    name: str
    versions: int
    aliases: Mapping[str, int]

    def record(self) -> dict[str, object]:
        """As JSON."""
        return {"name": self.name, "versions": self.versions, "aliases": dict(self.aliases)}


def check_model_name(name: str) -> str:
    """The name, if it may be one.

    Raises:
        RequestError: It may not: MLflow would take nearly anything, and then nobody can type it.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise RequestError(
            f"model name {name!r}: not a name for a checkpoint",
            "use lower-case letters, digits and . _ - (at most 100, a letter or digit first)",
        )
    return name


def moment(milliseconds: int) -> datetime:
    """A time stamp of MLflow, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

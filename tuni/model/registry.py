"""The kinds of checkpoint that there are: built-in ones, and those of other packages."""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from tuni.errors import CheckpointError, RequestError
from tuni.model.hooks.config import CONFIG, read_config
from tuni.model.hooks.families import FAMILIES
from tuni.model.reading.json_table import read_json
from tuni.model.reading.source import CheckpointSource

if TYPE_CHECKING:  # a command looks at a folder before it loads torch
    from tuni.model.target import Target

PLUGINS = "tuni.targets"  # entry points of kinds of other packages, each under its kind's name


class Load(Protocol):
    """Loads a checkpoint as a target."""

    def __call__(
        self, source: CheckpointSource, *, device: str, precision: Literal["fp32", "bf16"]
    ) -> "Target":
        """Load it, or raise `CheckpointError` with what is wrong and what to do about it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """A kind of checkpoint.

    Attributes:
        name: Lower-case word.
        words: What a folder of it holds, for people.
        reads: Whether a checkpoint is of this kind, told by which files there are.
        module: Module with a function ``load``, see `Load`; imported at first use.
        look: Refuses what can be told from a folder at once, without loading anything.
    """

    name: str
    words: str
    reads: Callable[[CheckpointSource], bool]
    module: str
    look: Callable[[Path], object] = str


# The first that reads a checkpoint takes it: published folders often hold open_clip's files and
# those of transformers.
BUILT_IN = (
    TargetKind(
        name="open_clip",
        words="open_clip_config.json and open_clip_model.safetensors (open_clip)",
        reads=lambda source: source.folder is None or source.has("open_clip_config.json"),
        module="tuni.model.open_clip",
        look=lambda folder: read_json(
            folder / "open_clip_config.json", "save the checkpoint again with open_clip"
        ),
    ),
    TargetKind(
        name="transformers",
        words="config.json, model.safetensors and a tokenizer (save_pretrained of transformers)",
        reads=lambda source: source.has(CONFIG),
        module="tuni.model.hooks.transformers",
        look=lambda folder: read_config(folder, FAMILIES),
    ),
)

_registered: dict[str, TargetKind] = {}


def register_kind(kind: TargetKind) -> None:
    """Make a kind known to this process that no installed package names as an entry point.

    Raises:
        RequestError: The name is taken, or the kind is incomplete.
    """
    if kind.name in {known.name for known in kinds()}:
        raise RequestError(f"kind of checkpoint {kind.name!r}: is there already", "rename it")
    _registered[kind.name] = _complete(kind, kind.name)


def kinds() -> tuple[TargetKind, ...]:
    """All kinds: built-in ones, then the others by name."""
    others = _installed() | _registered
    return (*BUILT_IN, *(others[name] for name in sorted(others)))


def kind_of(source: CheckpointSource) -> TargetKind:
    """The first kind that reads a checkpoint, told from its files without loading anything.

    Raises:
        CheckpointError: There is no folder, no kind reads it, or its config is refused.
    """
    if source.folder is not None and not source.folder.is_dir():
        raise CheckpointError(
            f"checkpoint.folder: {source.folder.name!r} is not a folder",
            f"give a folder that holds {BUILT_IN[0].words}",
        )
    for kind in kinds():
        if kind.reads(source):
            if source.folder is not None:
                kind.look(source.folder)
            return kind
    raise CheckpointError(
        "checkpoint.folder: holds no checkpoint that can be read, neither open_clip_config.json "
        f"nor {CONFIG}",
        f"give a folder with {', or with '.join(kind.words for kind in kinds())}",
    )


def load_checkpoint(
    source: CheckpointSource, *, device: str, precision: Literal["fp32", "bf16"]
) -> "Target":
    """Load a checkpoint by the first kind that reads it.

    Raises:
        CheckpointError: See `kind_of`, or the kind refuses it.
    """
    load: Load = importlib.import_module(kind_of(source).module).load
    return load(source, device=device, precision=precision)


@cache
def _installed() -> dict[str, TargetKind]:
    return {
        entry.name: _complete(entry.load(), entry.name)
        for entry in importlib.metadata.entry_points(group=PLUGINS)
    }


def _complete(kind: TargetKind, name: str) -> TargetKind:
    built_in = name in {known.name for known in BUILT_IN}
    if built_in or not isinstance(kind, TargetKind) or kind.name != name or not kind.words:
        raise RequestError(
            f"kind of checkpoint {name[:40]!r}: its entry point holds no new TargetKind of that "
            "name, with words",
            "see docs/extending.md",
        )
    if importlib.util.find_spec(kind.module) is None:
        raise RequestError(
            f"kind of checkpoint {name[:40]!r}: there is no module {kind.module}", "install it"
        )
    return kind

"""The families of features that there are: `tuni.features.families`, and of other packages."""

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from tuni.errors import RequestError, SpecMismatch
from tuni.features.families.geometry import GEOMETRY
from tuni.features.families.hidden import HIDDEN
from tuni.features.families.inversion import INVERSION
from tuni.features.families.jacobian import JACOBIAN
from tuni.features.families.noise import NOISE
from tuni.features.family import FeatureFamily

Family = FeatureFamily[Any]  # Any: each has a spec of its own class

BUILT_IN: tuple[Family, ...] = (HIDDEN, NOISE, JACOBIAN, GEOMETRY, INVERSION)
PLUGINS = "tuni.features"  # entry points of families of other packages, each under its name

_known: dict[str, Family] = {family.name: family for family in BUILT_IN}


def register_family(family: Family) -> None:
    """Make a family known to this process: its specs, bundles, extraction and searches.

    Args:
        family: A family that no installed package names as an entry point. Jobs extract it wherever
            its ``asked`` gives a spec.

    Raises:
        RequestError: The name is taken or malformed, or the family is incomplete.
    """
    if family.name in _known or family.name in _installed():
        raise RequestError(f"feature family {family.name!r}: is there already", "rename it")
    _known[family.name] = _complete(family, family.name)


def families() -> tuple[Family, ...]:
    """All families: built-in ones, then the others by name."""
    names = [family.name for family in BUILT_IN]
    others = sorted({*_known, *_installed()} - set(names))
    return tuple(family_named(name) for name in (*names, *others))


def family_named(name: str) -> Family:
    """The family of a name.

    Raises:
        SpecMismatch: There is none.
        RequestError: The one of another package is incomplete.
    """
    if name not in _known and name in _installed():
        _known[name] = _complete(_installed()[name].load(), name)
    if name not in _known:
        raise SpecMismatch(
            f"feature spec: family {name[:40]!r} is unknown, known are {', '.join(_known)}",
            "install or register the family first, or use the version of tuni that knows it",
        )
    return _known[name]


@cache
def _installed() -> dict[str, importlib.metadata.EntryPoint]:
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group=PLUGINS)}
    for family in BUILT_IN:
        if family.name in entries:
            raise RequestError(
                f"feature family {family.name!r}: another package names one too, "
                f"{entries[family.name].value}",
                "remove that package, or rename its family",
            )
    return entries


def family_of(column: str) -> str:
    """Name of the family that a feature column, also one written ``base~lambda``, belongs to.

    Raises:
        SpecMismatch: No family has such a column.
    """
    name = re.split("[._~]", column, maxsplit=1)[0]
    if name not in _known and name not in _installed():
        raise SpecMismatch(
            f"feature column {column!r}: unknown",
            "name one that docs/method.md lists, such as 'hidden.0' or 'jacobian_relative~0.375'",
        )
    return name


def by_family(*specs: object) -> dict[str, Any]:
    """Specs of families by the family's name, as a feature spec holds them.

    Raises:
        SpecMismatch: A spec belongs to no family.
    """
    names = {family.spec: family.name for family in families()}
    for spec in specs:
        if type(spec) not in names:
            raise SpecMismatch(
                f"feature spec: {type(spec).__name__} is of no known family", "register the family"
            )
    return {names[type(spec)]: spec for spec in specs}


def extractor_of(family: Family) -> Callable[..., Any]:  # Any: `columns` of the heavy module
    """The function that extracts a family's columns.

    Raises:
        RequestError: The module that the family names has no function ``columns``.
    """
    columns = getattr(importlib.import_module(family.extractor), "columns", None)
    if not callable(columns):
        raise RequestError(
            f"feature family {family.name!r}: module {family.extractor} has no function columns",
            "define columns(target, texts, spec, batch, step) there",
        )
    return columns  # type: ignore[no-any-return]  # of a module that is found by name


def _complete(family: Family, name: str) -> Family:
    if not isinstance(family, FeatureFamily) or family.name != name:
        raise RequestError(
            f"feature family {name[:40]!r}: its entry point holds no family of that name",
            "name a FeatureFamily, under its own name",
        )
    functions = ("columns", "prompts", "asked", "inputs")
    lacks = [name for name in functions if not callable(getattr(family, name))]
    if not re.fullmatch("[a-z][a-z0-9]{0,39}", family.name):
        lacks.append("a name of lower-case letters and digits")
    if family.effort not in ("low", "medium", "high"):
        lacks.append("effort")
    if not is_dataclass(family.spec):
        lacks.append("a dataclass as spec")
    else:
        names = {field.name for field in fields(family.spec)}
        wanted = {"neighbours": family.neighbours, "bank_digest": family.reads_bank}
        lacks += [f"spec.{name}" for name, asked in wanted.items() if asked and name not in names]
    try:
        if importlib.util.find_spec(family.extractor) is None:
            lacks.append(f"module {family.extractor}")
    except (ImportError, ValueError):
        lacks.append(f"module {family.extractor}")
    if lacks:
        raise RequestError(
            f"feature family {family.name[:40]!r}: lacks {', '.join(lacks)}",
            "see docs/extending.md",
        )
    return family

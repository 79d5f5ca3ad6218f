"""The families of features that there are: `tuni.features.families`, and of other packages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from tuni.errors import SpecMismatch
from tuni.features.family import FeatureFamily
from tuni.texts.kinds_by_name import KindsByName, function_of, is_module

Family = FeatureFamily[Any]  # Any: each has a spec of its own class

BUILT_IN = ("hidden", "noise", "jacobian", "geometry", "inversion")


def register_family(family: Family) -> None:
    """Make a family known to this process; jobs extract it wherever its ``asked`` gives a spec.

    Raises:
        RequestError: The name is taken or malformed, or the family is incomplete.
    """
    _FAMILIES.register(family.name, family)


def families() -> tuple[Family, ...]:
    """All families: built-in ones, then the others by name."""
    return tuple(map(family_named, _FAMILIES.names()))


def family_of(column: str) -> str:
    """Name of the family that a feature column, also one written ``base~lambda``, belongs to.

    Raises:
        SpecMismatch: No family has such a column.
    """
    name = re.split("[._~]", column, maxsplit=1)[0]
    if name not in BUILT_IN and name not in _FAMILIES.names():
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
    return function_of(family.extractor, "columns", "target, texts, spec, batch, step")


def _lacks(name: str, family: Family) -> Iterator[str]:
    if not isinstance(family, FeatureFamily) or family.name != name:
        yield "a FeatureFamily of that name"
        return
    functions = ("columns", "prompts", "asked", "inputs")
    yield from (name for name in functions if not callable(getattr(family, name)))
    if "_" in name:  # a column's family ends there
        yield "a name without underscores"
    if family.effort not in ("low", "medium", "high"):
        yield "effort"
    if not is_dataclass(family.spec):
        yield "a dataclass as spec"
    else:
        names = {field.name for field in fields(family.spec)}
        wanted = {"neighbours": family.neighbours, "bank_digest": family.reads_bank}
        yield from (f"spec.{name}" for name, asked in wanted.items() if asked and name not in names)
    if not is_module(family.extractor):
        yield f"module {family.extractor}"


_FAMILIES = KindsByName(
    "feature family",
    group="tuni.features",
    built_in={name: f"tuni.features.families.{name}:FAMILY" for name in BUILT_IN},
    lacks=_lacks,
    unknown=SpecMismatch,
)
family_named = _FAMILIES.named

"""Kinds of anything by name: built-in ones, those of installed packages, those a program registers.

Kinds of text, families of features, kinds of detectors and of reports are found here; this room is
the lowest that has any.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from tuni.errors import InputError, RequestError

K = TypeVar("K")


class KindsByName(Generic[K]):
    """The kinds of one sort. They are loaded at first use."""

    def __init__(
        self,
        sort: str,
        *,
        group: str,
        built_in: Mapping[str, str],
        lacks: Callable[[str, K], Iterable[str]],
        unknown: type[InputError] = RequestError,
    ) -> None:
        """Know the built-in ones.

        Args:
            sort: What they are, for messages.
            group: Entry points of kinds of other packages, each under its kind's name.
            built_in: Places of our own, ``"module:NAME"``, by their names; in this order they are
                told.
            lacks: What a kind of a name does not have that it owes; it may be any object.
            unknown: Error where there is no kind of a name.
        """
        self._sort, self._group, self._unknown = sort, group, unknown
        self._built_in, self._lacks = built_in, lacks
        self._loaded: dict[str, K] = {}

    def names(self) -> tuple[str, ...]:
        """Names of all kinds: built-in ones, then the others."""
        return (*self._built_in, *self.other_names())

    def other_names(self) -> tuple[str, ...]:
        """Names of the kinds that are not built in, sorted."""
        return tuple(sorted({*self._loaded, *self._installed()} - {*self._built_in}))

    def register(self, name: str, kind: K) -> None:
        """Make a kind known to this process that no installed package names as an entry point.

        Raises:
            RequestError: The name is taken or malformed, or the kind is incomplete.
        """
        if name in self.names():
            raise RequestError(f"{self._sort} {name!r}: is there already", "rename it")
        self._loaded[name] = self._complete(name, kind)

    def named(self, name: str) -> K:
        """The kind of a name.

        Raises:
            InputError: There is none; of the class that was asked for at the beginning.
            RequestError: The one of another package is incomplete.
        """
        if name not in self._loaded:
            place = self._built_in.get(name)
            entry = EntryPoint(name, place, self._group) if place else self._installed().get(name)
            if entry is None:
                raise self._unknown(
                    f"{self._sort}: got {name[:40]!r}, expected one of {', '.join(self.names())}",
                    "install or register it first, or use the version of tuni that knows it",
                )
            self._loaded[name] = self._complete(name, entry.load())
        return self._loaded[name]

    def _installed(self) -> Mapping[str, EntryPoint]:
        entries = _entries(self._group, tuple(sys.path))
        for name in entries.keys() & self._built_in.keys():
            raise RequestError(
                f"{self._sort} {name!r}: another package names one too, {entries[name].value}",
                "remove that package, or rename what it brings",
            )
        return entries

    def _complete(self, name: str, kind: K) -> K:
        lacks = list(self._lacks(name, kind))
        if not re.fullmatch("[a-z][a-z0-9_]{0,39}", name):
            lacks.append("a name of lower-case letters, digits and underscores")
        if lacks:
            raise RequestError(
                f"{self._sort} {name[:40]!r}: lacks {', '.join(lacks)}", "see docs/extending.md"
            )
        return kind


@lru_cache
def _entries(group: str, _path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def is_module(name: str) -> bool:
    """Whether there is a module of this name; its parents are imported."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def function_of(module: str, name: str, parameters: str) -> Callable[..., Any]:  # Any: by its name
    """A function of a module that a kind names, imported now.

    Args:
        module: Its name.
        name: Of the function.
        parameters: Names of what it takes, for the message.

    Raises:
        RequestError: The module has no such function.
    """
    function: object = getattr(importlib.import_module(module), name, None)
    if not callable(function):
        raise RequestError(
            f"module {module}: has no function {name}", f"define {name}({parameters}) there"
        )
    return function

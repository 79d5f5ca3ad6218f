"""The kinds of detector that there are: those of `tuni.detectors.kinds`, and of other packages.

Modules of kinds and fits are found by name and imported at first use: kinds are built on specs and
models, which ask here what a kind says.
"""

import importlib
import importlib.metadata
import importlib.util
import re
from functools import cache

from tuni.detectors.kind import DetectorKind, Fit
from tuni.errors import RequestError

# In this order searches suggest them; a study that was begun goes on only in the same order.
BUILT_IN = (
    "sum", "pair_residual", "feature", "vote",
    "ocsvm", "mahalanobis", "knn", "lof", "isolation_forest", "autoencoder",
)  # fmt: skip
PLUGINS = "tuni.detectors"  # entry points of kinds of other packages, each under its kind's name

_registered: dict[str, DetectorKind] = {}


def register_kind(kind: DetectorKind) -> None:
    """Make a kind known to this process: its specs, bundles, scores and searches.

    Args:
        kind: A kind that no installed package names as an entry point.

    Raises:
        RequestError: The name is taken or malformed, or the kind is incomplete.
    """
    if kind.name in kind_names():
        raise RequestError(f"detector kind {kind.name!r}: is there already", "rename it")
    _registered[kind.name] = _complete(kind, kind.name)


def kind_names() -> tuple[str, ...]:
    """Names of all kinds: built-in ones, then the others."""
    return (*BUILT_IN, *other_names())


def other_names() -> tuple[str, ...]:
    """Names of the kinds that are not built in."""
    return tuple(sorted({*_registered, *_installed()}))


def kind_named(name: str) -> DetectorKind:
    """The kind of a name.

    Raises:
        RequestError: There is none, or the one of another package is incomplete.
    """
    if name in BUILT_IN:
        built_in: DetectorKind = importlib.import_module(f"tuni.detectors.kinds.{name}").KIND
        return built_in
    if name not in _registered and name in _installed():
        _registered[name] = _complete(_installed()[name].load(), name)
    if name not in _registered:
        raise RequestError(
            f"detector kind: got {name[:40]!r}, expected one of {', '.join(kind_names())}",
            "install or register the kind first, or use the version of tuni that knows it",
        )
    return _registered[name]


@cache
def _installed() -> dict[str, importlib.metadata.EntryPoint]:
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group=PLUGINS)}
    for name in BUILT_IN:
        if name in entries:
            raise RequestError(
                f"detector kind {name!r}: another package names one too, {entries[name].value}",
                "remove that package, or rename its kind",
            )
    return entries


def fit_of(kind: DetectorKind) -> Fit | None:
    """The function that fits a kind; None where there is nothing to fit.

    Raises:
        RequestError: The module that the kind names has no function ``fit``.
    """
    if kind.fits is None:
        return None
    fit: Fit | None = getattr(importlib.import_module(kind.fits), "fit", None)
    if not callable(fit):
        raise RequestError(
            f"detector kind {kind.name!r}: module {kind.fits} has no function fit",
            "define fit(inputs, numbers, seed) there",
        )
    return fit


def _complete(kind: DetectorKind, name: str) -> DetectorKind:
    if not isinstance(kind, DetectorKind) or kind.name != name:
        raise RequestError(
            f"detector kind {name[:40]!r}: its entry point holds no kind of that name",
            "name a DetectorKind, under its own name",
        )
    lacks = [name for name in ("check", "score") if not callable(getattr(kind, name))]
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", kind.name):
        lacks.append("name of lower-case letters, digits and underscores")
    if not kind.words:
        lacks.append("words")
    if kind.reads not in ("column", "columns", "parts"):
        lacks.append("reads")
    if kind.fits is not None and not _is_module(kind.fits):
        lacks.append(f"module {kind.fits}")
    if kind.fits is None and set(kind.params) != set(kind.model_numbers):
        lacks.append("fit for the numbers of its models")
    lacks += [
        f"default of {name} within its bounds"
        for name, number in kind.params.items()
        if not number.least <= number.default <= number.most
    ]
    if lacks:
        raise RequestError(
            f"detector kind {kind.name[:40]!r}: lacks {', '.join(lacks)}", "see docs/extending.md"
        )
    return kind


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False

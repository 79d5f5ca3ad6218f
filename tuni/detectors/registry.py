"""The kinds of detector that there are: those of `tuni.detectors.kinds`, and registered ones.

Modules of kinds and fits are found by name and imported at first use: kinds are built on specs and
models, which ask here what a kind says.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence

from tuni.detectors.kind import DetectorKind, Fitted, Floats
from tuni.errors import RequestError

# In this order searches suggest them; a study that was begun goes on only in the same order.
BUILT_IN = (
    "sum", "pair_residual", "feature", "vote",
    "ocsvm", "mahalanobis", "knn", "lof", "isolation_forest", "autoencoder",
)  # fmt: skip

Fit = Callable[[Sequence[Floats], Mapping[str, float], int], Fitted]

_registered: dict[str, DetectorKind] = {}


def register_kind(kind: DetectorKind) -> None:
    """Make a kind known to this process: its specs, bundles, scores and searches.

    Args:
        kind: A kind of another package; register it before a bundle or request that names it.

    Raises:
        RequestError: The name is taken or malformed, or the kind is incomplete.
    """
    name = kind.name
    if name in kind_names():
        raise RequestError(f"detector kind {name!r}: is there already", "choose another name")
    _require_complete(kind)
    _registered[name] = kind


def kind_names() -> tuple[str, ...]:
    """Names of all kinds: built-in ones, then the others as they were registered."""
    return (*BUILT_IN, *_registered)


def registered_names() -> tuple[str, ...]:
    """Names of the kinds that are not built in."""
    return tuple(_registered)


def kind_of(name: str) -> DetectorKind:
    """The kind of a name.

    Raises:
        RequestError: There is none.
    """
    if name in _registered:
        return _registered[name]
    if name not in BUILT_IN:
        raise RequestError(
            f"detector kind: got {name[:40]!r}, expected one of {', '.join(kind_names())}",
            "register the kind first, or use the version of tuni that knows it",
        )
    kind: DetectorKind = importlib.import_module(f"tuni.detectors.kinds.{name}").KIND
    return kind


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


def _require_complete(kind: DetectorKind) -> None:
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


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False

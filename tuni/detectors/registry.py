"""The kinds of detector that there are: those of `tuni.detectors.kinds`, and of other packages.

Kinds are built on specs and models, which ask here what a kind says.
"""

from collections.abc import Iterator

from tuni.detectors.kind import DetectorKind, Fit
from tuni.texts.kinds_by_name import KindsByName, function_of, is_module

# In this order searches suggest them; a study that was begun goes on only in the same order.
BUILT_IN = (
    "sum", "pair_residual", "feature", "vote",
    "ocsvm", "mahalanobis", "knn", "lof", "isolation_forest", "autoencoder", "length",
)  # fmt: skip


def register_kind(kind: DetectorKind) -> None:
    """Make a kind known to this process: its specs, bundles, scores and searches.

    Raises:
        RequestError: The name is taken or malformed, or the kind is incomplete.
    """
    _KINDS.register(kind.name, kind)


def fit_of(kind: DetectorKind) -> Fit | None:
    """The function that fits a kind; None where there is nothing to fit.

    Raises:
        RequestError: The module that the kind names has no function ``fit``.
    """
    return None if kind.fits is None else function_of(kind.fits, "fit", "inputs, numbers, seed")


def _lacks(name: str, kind: DetectorKind) -> Iterator[str]:
    if not isinstance(kind, DetectorKind) or kind.name != name:
        yield "a DetectorKind of that name"
        return
    yield from (name for name in ("check", "score") if not callable(getattr(kind, name)))
    if not kind.words:
        yield "words"
    if kind.reads not in ("column", "columns", "parts"):
        yield "reads"
    if kind.fits is not None and not is_module(kind.fits):
        yield f"module {kind.fits}"
    if kind.fits is None and set(kind.params) != set(kind.model_numbers):
        yield "fit for the numbers of its models"
    for name, number in kind.params.items():
        if not number.least <= number.default <= number.most:
            yield f"default of {name} within its bounds"


_KINDS = KindsByName(
    "detector kind",
    group="tuni.detectors",
    built_in={name: f"tuni.detectors.kinds.{name}:KIND" for name in BUILT_IN},
    lacks=_lacks,
)
kind_named, kind_names, other_names = _KINDS.named, _KINDS.names, _KINDS.other_names

"""What the kinds share that see columns side by side: standardisation, distances, suggestions."""

from collections.abc import Callable, Sequence

import numpy as np

from tuni.detectors.checks import require_only, require_positive, require_shape, require_width
from tuni.detectors.kind import Floats, Number
from tuni.detectors.model import ArrayModel
from tuni.detectors.registry import kind_named
from tuni.detectors.search import Ask, Search, is_costly
from tuni.detectors.spec import NULLS, DetectorSpec, Null

DIMS = Number(0.0, 0.0, 4_096.0)  # principal axes that are left of the columns; 0 is all
TINY = 1e-300  # keeps the logarithm of a zero distance finite


def check_vectors(model: ArrayModel, *names: str) -> int:
    """Check the standardisation; gives back the width of what the detector proper sees.

    Args:
        model: Of a kind that sees vectors.
        names: Arrays of its own.

    Raises:
        BundleError: An array of the standardisation is missing or wrong, or one is too many.
    """
    (width,) = require_shape(model, "center", None)
    require_shape(model, "scale", width)
    require_only(model, "center", "scale", "components", *names)
    require_positive(model, "scale")
    if "components" in model.arrays:
        return require_shape(model, "components", None, width)[0]
    return width


def standardised(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    """Columns side by side, standardised, and rotated where the model has components."""
    values = np.hstack(inputs)
    require_width(model, len(model.arrays["center"]), values.shape[1])
    standard: Floats = (values - model.arrays["center"]) / model.arrays["scale"]
    if "components" in model.arrays:
        standard = standard @ model.arrays["components"].T
    return standard


def log_of(distances: Floats) -> Floats:
    """Logarithms of numbers of at least 0, finite for 0 too."""
    return np.asarray(np.log(np.maximum(distances, TINY)))


def squared_length(values: Floats) -> Floats:
    """Squared length of each row of shape (n, d)."""
    return np.asarray(np.einsum("ij,ij->i", values, values))


def suggest_vectors(
    name: str, numbers: Callable[[Ask, bool, float], dict[str, float]]
) -> Callable[[Search], DetectorSpec]:
    """How a search suggests a kind that sees vectors.

    Args:
        name: The kind's.
        numbers: Asks for the kind's own numbers, given whether the columns are as wide as the
            model and the suggested ``dims``, which it may replace.
    """

    def suggest(search: Search) -> DetectorSpec:
        ask = search.ask
        columns = search.inputs()
        null: Null = ask.choice("null", NULLS)
        count = None
        if null == "gibberish":
            count = ask.whole("gibberish_count", 100, max(search.gibberish, 101), log=True)
            count = min(count, kind_named(name).most_rows or count)
        wide = search.is_wide(columns[0])
        dims = float(ask.choice("dims", [0, 16, 32, 64])) if wide else 0.0
        params = {"dims": dims} | numbers(ask, wide, dims)
        guard = not is_costly(columns[0])
        return DetectorSpec(name, columns, null, count, tuple(sorted(params.items())), guard=guard)

    return suggest

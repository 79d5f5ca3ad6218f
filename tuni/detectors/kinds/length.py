"""How long a column's vector is (ours): on a hidden state less its parts, what the pair adds."""

from collections.abc import Sequence

from tuni.detectors.checks import require_only
from tuni.detectors.kind import DetectorKind, Floats
from tuni.detectors.kinds.vectors import log_of, squared_length
from tuni.detectors.model import ArrayModel
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.family import LESS_PARTS


def _score(model: ArrayModel, inputs: Sequence[Floats]) -> Floats:
    return log_of(squared_length(inputs[0]))


def suggest(search: Search) -> DetectorSpec:
    """The length of a suggested layer less its parts."""
    hidden = search.features.of(HiddenSpec)
    layer = search.ask.choice("length.layer", hidden.layers if hidden else (0,))
    return DetectorSpec("length", (f"hidden.{layer}{LESS_PARTS}",))


KIND = DetectorKind(
    name="length",
    words="squared length",
    reads="column",
    fits=None,
    check=require_only,
    score=_score,
    suggest=lambda search: suggest(search) if search.less_parts else None,
    describe=lambda spec, _parts: f"length of {spec.columns[0]}",
)

"""The detectors that are there without a search: H2, H, T, for single names, the paper's."""

from tuni.detectors.spec import DetectorSpec

DEFAULT_T = DetectorSpec("pair_residual", ("hidden.0",), params=(("ridge", 0.5), ("spread", 0.3)))
DEFAULT_H = DetectorSpec(
    "sum", parts=(DEFAULT_T, DetectorSpec("feature", ("jacobian_relative~0.375",)))
)
_OWN = DetectorSpec("length", ("hidden.0.less_parts",))  # what a pair adds to its parts
DEFAULT_H2 = DetectorSpec(
    "sum", parts=(_OWN, DetectorSpec("feature", ("jacobian_relative",))), less_parts=True
)
H2_WITHOUT_GRADIENTS = DetectorSpec(
    "sum", parts=(_OWN, DetectorSpec("feature", ("hidden.norm",))), less_parts=True
)
SINGLE = DetectorSpec(
    "sum",
    parts=(
        DetectorSpec("mahalanobis", ("hidden.0",), params=(("shrinkage", 1.0),), guard=True),
        DetectorSpec("feature", ("jacobian_relative",)),
    ),
)
_INVERTED = ("inversion.S", "inversion.D_rms")
PAPER = DetectorSpec(  # arXiv 2405.14517: several detectors on S and D vote; every number is ours
    "vote",
    null="gibberish",
    params=(("alpha", 0.05), ("needed", 2.0)),
    parts=(
        DetectorSpec("isolation_forest", _INVERTED, null="gibberish"),
        DetectorSpec("lof", _INVERTED, null="gibberish"),
        DetectorSpec("ocsvm", _INVERTED, null="gibberish"),
        DetectorSpec("mahalanobis", _INVERTED, null="gibberish", params=(("robust", 1.0),)),
    ),
)

"""Detectors in words, for run lists, reports and tags."""

from tuni.detectors.defaults import (
    DEFAULT_H,
    DEFAULT_H2,
    DEFAULT_T,
    H2_WITHOUT_GRADIENTS,
    PAPER,
)
from tuni.detectors.registry import kind_named
from tuni.detectors.spec import DetectorSpec

_DEFAULTS = {
    DEFAULT_H2.hash: "H2: hidden states + Jacobian stability, less name parts (ours)",
    H2_WITHOUT_GRADIENTS.hash: "H2 without gradients: hidden states, less name parts (ours)",
    DEFAULT_H.hash: "H: pair residual T + Jacobian stability (ours)",
    DEFAULT_T.hash: "T: pair residual of hidden states (ours)",
    PAPER.hash: "the paper's: vote of four detectors on S and D, fitted on gibberish",
}


def describe(spec: DetectorSpec) -> str:
    """One line: what the detector computes and what it was fitted on."""
    if spec.hash in _DEFAULTS:
        return _DEFAULTS[spec.hash]
    kind = kind_named(spec.kind)
    if kind.describe is not None:
        words = kind.describe(spec, [describe(part) for part in spec.parts])
    else:
        words = f"{kind.words} on {', '.join(spec.columns)}, fitted on {spec.null}"
    return f"{words}, less name parts" if spec.less_parts else words

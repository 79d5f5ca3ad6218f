"""Identity inference for CLIP from text alone: features, detectors, verdicts."""

__version__ = "0.1.0"

"""Detectors: what one is, how it is fitted, scored and written to a bundle."""

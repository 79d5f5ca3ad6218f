"""One job of `tuni run`: its request, features, search, calibration, evaluation and report."""

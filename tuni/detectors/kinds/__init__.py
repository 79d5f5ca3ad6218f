"""Kinds of detector, one a module: words, numbers, checks and the NumPy score; no fit."""

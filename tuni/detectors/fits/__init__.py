"""Fits of the kinds of detector with scikit-learn and torch, exported as plain arrays.

The exported arrays score as the library does (1e-9, autoencoder 1e-6, relative to the scores'
scale); tests/tuni/detectors/test_fit.py holds each to it.
"""

"""Secrets: the home's key, pseudonyms, signatures, and the files that they lie in."""

"""Families of features, one a module: settings, columns and costs; no model is touched."""

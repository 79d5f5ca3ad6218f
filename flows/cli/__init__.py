"""The command `tuni`, one module for each group of verbs."""

from flows.cli.app import main

__all__ = ["main"]

"""The command `tuni`, one module for each group of verbs."""

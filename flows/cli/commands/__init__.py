"""The verbs of `tuni`: each parses, calls one function of a room below, shows the result."""

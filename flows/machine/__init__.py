"""This machine: settings, home, logs, terminal, upkeep."""

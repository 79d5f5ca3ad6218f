"""The model under audit: checkpoint, settings, towers, target."""

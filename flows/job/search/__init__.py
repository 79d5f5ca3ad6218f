"""The search for a detector: its space and its trials."""

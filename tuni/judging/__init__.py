"""From a bundle, a model and a list to verdicts."""

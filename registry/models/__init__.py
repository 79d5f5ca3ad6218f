"""MLflow: runs, registered models, and how a bundle is pulled."""

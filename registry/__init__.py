"""What is kept: MLflow runs and models, the ledger, keys and pseudonyms."""

"""MLflow's and Prefect's servers and the worker."""

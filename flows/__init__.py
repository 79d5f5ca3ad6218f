"""What runs: Prefect flows, the search, the report and the `tuni` command."""

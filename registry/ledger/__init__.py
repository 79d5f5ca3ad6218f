"""The ledger: its tables, what is encrypted or sealed in them, erasure, rotation, trail."""

"""One seed in, independent seeds out: each purpose has its own, named one."""

import hashlib


def derive_seed(seed: int, purpose: str) -> int:
    """Seed in [0, 2**31) for one purpose, independent of the seeds of all others."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1

"""Digests of values, and the seed of each purpose: equal values give equal bytes on any machine."""

import hashlib
import json


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces; not-a-number is refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of a value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def derive_seed(seed: int, purpose: str) -> int:
    """Seed in [0, 2**31) for one purpose, independent of the seeds of all others."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1

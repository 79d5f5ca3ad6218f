"""Seeded changes to a file: of its bytes, or of a value within its JSON."""

import json
import random
from collections.abc import Callable
from typing import Any

BYTES = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b"'", b",", b"\r", b"\n\n", b"{",
    b"[" * 3000, b"1e999", b"-1", b"99999999999999999999", b"NaN", b"null", b"\xe2\x80\xae",
    b"~nosuchuser/x", b"<|endoftext|>", b"\\ud800", b"=cmd()",
)  # fmt: skip
VALUES: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: -1, lambda: 0, lambda: 1, lambda: 7, lambda: 2**31,
    lambda: 10**400, lambda: -(2**63), lambda: 1e308, lambda: float("nan"), lambda: float("inf"),
    lambda: 0.5, lambda: "", lambda: "\ud800", lambda: "\0", lambda: "x" * 5000,
    lambda: "~nosuchuser", lambda: "/", lambda: "../../etc", lambda: [], lambda: {},
    lambda: [[]], lambda: [1] * 5000, lambda: {"a": {"b": []}}, lambda: "resnet50",
    lambda: "sin_cos_2d", lambda: "cuda:9", lambda: [1e300],
)  # fmt: skip


def changed_bytes(data: bytes, draw: random.Random) -> bytes:
    """The bytes with one to four places flipped, cut, doubled, filled or moved."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed) + 1)
        # Headers are where formats say how much is to be allocated.
        place = min(place, draw.choice((len(changed), 64, 512)))
        length = draw.choice((1, 1, 2, 8, 64, 1024))
        act = draw.randrange(6)
        if act == 0 and place < len(changed):
            changed[place] = draw.randrange(256)
        elif act == 1:
            del changed[place : place + length]
        elif act == 2:
            changed[place:place] = draw.choice(BYTES)
        elif act == 3:
            changed[place:place] = changed[place : place + length]
        elif act == 4:
            del changed[draw.randrange(len(changed) + 1) :]
        else:
            changed[place : place + length] = bytes(draw.randrange(256) for _ in range(length))
    return bytes(changed)


def changed_json(data: bytes, draw: random.Random) -> bytes:
    """The JSON with one to three values replaced, left out, renamed or added."""
    root = [json.loads(data)]
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice(list(_places(root)))
        act = draw.randrange(8)
        if act == 0 and holder is not root:
            del holder[key]
        elif act == 1 and isinstance(holder, dict):
            holder[draw.choice(("", "x", "auto_map", "text", "format"))] = draw.choice(VALUES)()
        elif act == 2 and isinstance(holder[key], int | float):
            holder[key] *= draw.choice((0, -1, 2, 1000, 10**9))
        else:
            holder[key] = draw.choice(VALUES)()
    return json.dumps(root[0]).encode()


def _places(value: Any) -> Any:
    """Every container within a value, with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])

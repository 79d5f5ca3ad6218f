"""User names, with or without the @ that services put before them.

The parts are the stem and its last word or its digits: ``ada_ | roe``, ``adaroe | 92``. One without
either has one part.
"""

import re

from tuni.texts.contacts.pieces import Pieces, Rules, piece_kind
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import clean_text

MOST = 40  # characters; longer than any large service allows
_NAME = re.compile(r"@?\w[\w.-]*", re.UNICODE)
_SPLIT = re.compile(r"(@?\w[\w.-]*?)([._-]?)(\d+|(?<=[._-])[^\W\d]+)", re.UNICODE)
_NAMES = reference_parts("latin/en_US", 100)
_FIRSTS = tuple(name.lower() for name in _NAMES.firsts if name.isascii() and name.isalpha())
_LASTS = tuple(f"{(61 * row) % 990 + 10}" for row in range(90))


def parse(text: str) -> Pieces:
    """Take a user name apart before its digits or its last word."""
    text = clean_text(text)
    if words := _SPLIT.fullmatch(text):
        first, joiner, last = words.groups()
        return Pieces(first, joiner, last, "digits" if last.isdigit() else f"word{joiner}")
    return Pieces(text, "", "", "other")


def standard(text: str, _region: str | None) -> str:
    """Lower case, without the @."""
    return clean_text(text).casefold().removeprefix("@")


def forms(text: str) -> tuple[str, ...]:
    """With the @ and without."""
    return text, f"@{text}"


def refusal(text: str) -> str | None:
    """Why a text is no user name."""
    if not _NAME.fullmatch(text) or not any(map(str.isalpha, text)):
        return "is no user name (one word of letters, digits and . _ - )"
    return f"is longer than a user name of {MOST} characters" if len(text) > MOST else None


def near(text: str) -> tuple[str, ...]:
    """Six user names with other digits at the end, or with a digit added."""
    stem = text.rstrip("0123456789")
    digits = text[len(stem) :]
    if not digits:
        return tuple(f"{text}{digit}" for digit in (1, 2, 7, 9, 11, 99))
    number, width = int(digits), len(digits)
    others = {f"{(number + step) % 10**width:0{width}d}" for step in range(1, 8)} - {digits}
    return tuple(f"{stem}{other}" for other in sorted(others))[:6]


KIND = piece_kind(
    "username",
    Rules(parse=parse, refusal=refusal, firsts=_FIRSTS, lasts=_LASTS),
    lambda _locale: [
        f"{_FIRSTS[row % len(_FIRSTS)]}{_LASTS[(7 * row) % len(_LASTS)]}" for row in range(200)
    ],
    standard=standard,
    forms=forms,
    near=near,
    differs="in the digits at the end",
    fields=("username",),
)

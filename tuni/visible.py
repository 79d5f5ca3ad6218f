"""Text as a page or a terminal shows it: markup, control and bidirectional characters are text."""

import json
import re
import unicodedata
from functools import lru_cache

# Letters and marks that leave no ink although Unicode does not call them format characters.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Everything that Markdown reads as more than a sign, bare addresses and entities included.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|&~$@]|:(?=//)|(?<=www)\.")


@lru_cache(maxsize=4096)
def character_refusal(character: str) -> str | None:
    """Why one character is refused, or None."""
    if character in BIDI:
        return "holds a bidirectional control character"
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return "holds a control character"
    if category == "Cs":
        return "holds half of a surrogate pair"
    if category == "Cf" or character in INVISIBLE:
        return "holds a zero-width or invisible character"
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return "holds a zero-width or invisible character"
    return None


def visible(text: str) -> str:
    r"""The text as a page or a terminal may show it: what acts or hides is written out.

    Control characters (those that steer a terminal included), bidirectional controls, invisible
    characters and halves of surrogate pairs become escapes such as ``\u202e``; ends of lines stay.
    Idempotent. JSON stays JSON with the same values.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(_shown(character) for character in text)


def one_line(text: str) -> str:
    """The `visible` text on one line, so that it cannot pass for another line."""
    return visible(" ".join(text.split()))


def markdown(text: str) -> str:
    """The text on one line as Markdown shows it: no markup, no address that one can follow."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if character == "\n" or character_refusal(character) is None:
        return character
    return json.dumps(character)[1:-1]

"""Names as lists write them: "First Last", "Last, First" or "First_Last".

A model was taught captions, which hold the first of these. In another arrangement nobody is found,
and nothing says so: measured on 40 known members, 2 and 11 instead of 29.
"""

import re
from typing import Literal

Arrangement = Literal["first-last", "last-first", "underscores"]

_BEHIND_A_COMMA = frozenset({"jr", "sr", "ii", "iii", "iv", "v", "phd", "md", "esq"})
_UNDERSCORE = re.compile(r"(?<=[^\W_])_+(?=[^\W_])")


def rearranged(text: str, arrangement: Arrangement) -> str:
    """The name with its given parts first and spaces between; others stay as they are."""
    if arrangement == "underscores":
        return _UNDERSCORE.sub(" ", text)
    if arrangement == "last-first" and _last_first(text):
        last, _, first = text.partition(",")
        return f"{first.strip()} {last.strip()}"
    return text


def arrangement_refusal(text: str) -> str | None:
    """Why a text is not written as captions write names, or None."""
    if "," in text and _last_first(text):
        return 'is written "Last, First": write it "First Last", or say --names last-first'
    if "_" in text and _UNDERSCORE.search(text):
        return 'is written "First_Last": write it "First Last", or say --names underscores'
    return None


def _last_first(text: str) -> bool:
    """Whether a name holds one comma and, behind it, more than a suffix such as "Jr."."""
    last, comma, first = (side.strip() for side in text.partition(","))
    behind = first.casefold().replace(".", "").replace(" ", "")
    return bool(last and comma and behind) and "," not in first and behind not in _BEHIND_A_COMMA

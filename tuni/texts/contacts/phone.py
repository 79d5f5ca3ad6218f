"""Phone numbers: E.164 is the one writing, three national and international ones are asked.

The parts are all but the last four digits, and the last four. Decoys keep country and area and are
valid numbers of their country; they may be somebody's, so they are never shown or kept.
"""

from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberFormat

from tuni.texts.contacts.pieces import Pieces, Rules, piece_kind
from tuni.texts.text import clean_text

_LINE = 4  # digits of the last part
# Seven is coprime to the ranges, so the digits of neighbours differ from each other.
_EXCHANGES = tuple(str(200 + 7 * row) for row in range(1, 100) if (200 + 7 * row) % 100 != 11)
_LINES = tuple(f"{(2749 * row + 142) % 10_000:04d}" for row in range(200))
_AREAS = ("212", "312", "415", "617", "713", "305", "404", "206", "214", "702")


@lru_cache(maxsize=1 << 16)
def _number(text: str, region: str | None = None) -> phonenumbers.PhoneNumber | None:
    """A possible number, without its extension; None where there is none."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    number.extension = None
    return number if phonenumbers.is_possible_number(number) else None


def parse(text: str) -> Pieces:
    """Take a number apart in any writing: the last four digits or letters, and all before them."""
    text = clean_text(text)
    places = [row for row, sign in enumerate(text) if sign.isalnum()]
    if len(places) <= _LINE:
        return Pieces(text, "", "", "other")
    start = places[-_LINE]
    end = places[-_LINE - 1] + 1
    layout = "".join("n" if sign.isalnum() else sign for sign in text)
    number = _number(text)
    country = number.country_code if number else ""
    return Pieces(text[:end], text[end:start], text[start:], f"{country} {layout}".strip())


def standard(text: str, region: str | None) -> str:
    """E.164, without an extension; the clean text where it is no possible number."""
    number = _number(clean_text(text), region)
    if number is None:
        return clean_text(text)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def forms(text: str) -> tuple[str, ...]:
    """National, national with hyphens alone, and international; the text itself if no number."""
    number = _number(text)
    if number is None:
        return (text,)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    groups = "".join(sign if sign.isdigit() else " " for sign in national).split()
    return tuple(
        dict.fromkeys(
            (
                national,
                "-".join(groups),
                phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
            )
        )
    )


def refusal(text: str) -> str | None:
    """Why a text is no phone number that a verdict can be given about."""
    if _number(text) is not None:
        return None
    digits = sum(sign.isdigit() for sign in text)
    if digits < sum(sign.isalpha() for sign in text) or not digits:
        return "is no phone number"
    if text.startswith("+"):
        return "is not possible as a phone number"
    return "is a phone number without country; write it with + or name the country (region)"


def near(text: str) -> tuple[str, ...]:
    """Six numbers that differ in one of the last four digits."""
    head, line = text[:-_LINE], text[-_LINE:]
    changes = ((3, 1), (3, 5), (2, 1), (2, 6), (1, 3), (0, 1))
    return tuple(
        f"{head}{line[:place]}{(int(line[place]) + step) % 10}{line[place + 1 :]}"
        for place, step in changes
    )


def _valid(text: str) -> str | None:
    """As `refusal`, for decoys: an E.164 number must be one that its country gives out."""
    number = _number(text)
    if number is None or not phonenumbers.is_valid_number(number):
        return "is no valid number"
    return None


def written(own: str, other: str) -> str:
    """The last digits of a part in the place of another's, whose signs stay."""
    left, signs = list(other), []
    for sign in reversed(own):
        signs.append(left.pop() if sign.isalnum() and left else sign)
    return "".join(reversed(signs))


def _like(_locale: str) -> list[str]:
    return [
        f"+1{_AREAS[row % len(_AREAS)]}{_EXCHANGES[row % len(_EXCHANGES)]}{line}"
        for row, line in enumerate(_LINES)
    ]


KIND = piece_kind(
    "phone",
    Rules(parse=parse, refusal=_valid, firsts=_EXCHANGES, lasts=_LINES, written=written),
    _like,
    noise=lambda text: forms(text)[0],
    refusal=refusal,
    standard=standard,
    forms=forms,
    near=near,
    differs="in a digit",
    fields=("phone",),
)

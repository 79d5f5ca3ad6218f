"""Postal addresses by documented rules; no parser guesses where a street ends.

An address has two or more fields between commas, and the first field that holds a digit is house
number and street: ``12 Maple Street, Dayton`` or ``Hauptstraße 12, 10115 Berlin``. The parts are
all to that field's end, and what follows. Abbreviated words for streets are written out.
"""

import re

from tuni.texts.contacts.pieces import Pieces, Rules, cycled, piece_kind
from tuni.texts.text import clean_text

# The last word of a street, or the first in languages that put it there; ours, not complete.
_LAST_WORDS = {
    "st": "Street", "str": "Street", "ave": "Avenue", "av": "Avenue", "rd": "Road", "ln": "Lane",
    "dr": "Drive", "blvd": "Boulevard", "ct": "Court", "pl": "Place", "sq": "Square",
    "hwy": "Highway", "pkwy": "Parkway", "ter": "Terrace",
}  # fmt: skip
_FIRST_WORDS = {
    "av": "Avenue", "bd": "Boulevard", "pl": "Place", "c/": "Calle", "avda": "Avenida",
    "pza": "Plaza", "v": "Via", "p.za": "Piazza",
}  # fmt: skip
_SHORT = {word.lower(): short for short, word in (
    ("St", "Street"), ("Ave", "Avenue"), ("Rd", "Road"), ("Ln", "Lane"), ("Dr", "Drive"),
    ("Blvd", "Boulevard"), ("Ct", "Court"), ("Pl", "Place"), ("Sq", "Square"),
)}  # fmt: skip
_GERMAN = re.compile(r"(?<=\w)str\.?(?=\s+\d|$)")
_HOUSE = re.compile(r"\d+")
_STREETS = (
    "Main", "Second", "Third", "Washington", "Central", "North", "South", "High", "Green", "Grove",
    "Victoria", "Union", "Academy", "Prospect", "Summit", "Orchard", "Grant", "Liberty", "Broad",
    "Water",
)  # fmt: skip
_SUFFIXES = ("Street", "Avenue", "Road", "Lane", "Drive")
_FIRSTS = tuple(
    f"{(37 * row) % 977 + 3} {_STREETS[row % len(_STREETS)]} {_SUFFIXES[row % len(_SUFFIXES)]}"
    for row in range(200)
)
_LASTS = (
    "Springfield", "Franklin", "Clinton", "Georgetown", "Greenville", "Bristol", "Fairview",
    "Madison", "Arlington", "Ashland", "Burlington", "Manchester", "Marion", "Milton", "Newport",
    "Oxford", "Riverside", "Winchester", "Cleveland", "Hudson",
)  # fmt: skip


def parse(text: str) -> Pieces:
    """Take an address apart behind its house number and street, with commas or without."""
    text = clean_text(text)
    street = _street_end(text)
    head, tail = text[:street], text[street:]
    last = tail.lstrip(", ")
    if not last:
        return Pieces(text, "", "", "other")
    joiner = tail[: len(tail) - len(last)]
    return Pieces(head, joiner, last, f"{'number first' if head[0].isdigit() else 'other'}{joiner}")


def _street_end(text: str) -> int:
    """Where the field of house number and street ends: at a comma, else at its last known word."""
    start = 0
    for field in text.split(","):
        end = start + len(field)
        if _HOUSE.search(field) and end < len(text):
            return end
        start = end + 1
    known = {word.lower() for word in _LAST_WORDS.values()} | {s.lower() for s in _SHORT.values()}
    ends = [m.end() for m in re.finditer(r"\S+", text) if m.group().lower() in known]
    return ends[0] if ends else len(text)


def standard(text: str, _region: str | None) -> str:
    """Fields without needless signs, streets written out."""
    fields = [clean_text(field).strip(" .;") for field in clean_text(text).split(",")]
    fields = [field for field in fields if field]
    for row, field in enumerate(fields):
        if _HOUSE.search(field):
            fields[row] = _written_out(field)
            break
    return ", ".join(fields)


def _written_out(field: str) -> str:
    words = _GERMAN.sub("straße", field).split(" ")
    last = words[-1].rstrip(".").lower()
    if len(words) > 2 and last in _LAST_WORDS:
        words[-1] = _LAST_WORDS[last]
    place = 1 if words[0].isdigit() else 0
    if len(words) > place + 1 and words[place].rstrip(".").lower() in _FIRST_WORDS:
        words[place] = _FIRST_WORDS[words[place].rstrip(".").lower()]
    return " ".join(words)


def forms(text: str) -> tuple[str, ...]:
    """With the street written out, abbreviated, and without commas."""
    pieces = parse(text)
    if not pieces.last:
        return (text,)
    words = pieces.first.split(" ")
    short = " ".join([*words[:-1], _SHORT.get(words[-1].lower(), words[-1])])
    plain = clean_text(text.replace(",", " "))
    written = dict.fromkeys((text, f"{short}{pieces.joiner}{pieces.last}", plain))
    return tuple(form for form in written if parse(form).last)


def refusal(text: str) -> str | None:
    """Why a text is no address in a form that is known here."""
    if not _HOUSE.search(text):
        return "is an address without a house number"
    if not parse(text).last:
        return "is an address of one field; write street and number, a comma, then the town"
    return None


def near(text: str) -> tuple[str, ...]:
    """The six next house numbers."""
    number = _HOUSE.search(text)
    if number is None:
        return ()
    own = int(number.group())
    others = [own + step for step in (1, -1, 2, -2, 10, -10) if own + step > 0]
    others += [own + step for step in range(3, 9)][: 6 - len(others)]
    return tuple(f"{text[: number.start()]}{other}{text[number.end() :]}" for other in others)


KIND = piece_kind(
    "address",
    Rules(parse=parse, refusal=refusal, firsts=_FIRSTS, lasts=_LASTS),
    lambda _locale: cycled(_FIRSTS, _LASTS, ", "),
    standard=standard,
    forms=forms,
    near=near,
    differs="in the house number",
    fields=("address",),
)

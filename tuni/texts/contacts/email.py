"""E-mail addresses: checked by their syntax, never by asking DNS.

The parts are the given name and the rest where the local part has two words, else the local part
and the domain.
"""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from tuni.texts.contacts.pieces import Pieces, Rules, cycled, piece_kind
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import clean_text

_DOMAINS = (
    "mail.com", "inbox.com", "webmail.net", "post.net", "letters.org", "mailbox.org",
    "fastpost.com",
    "myinbox.net", "quickmail.org", "homepost.com", "citymail.net", "netpost.org", "worldmail.com",
)  # fmt: skip
_WORDS = re.compile(r"([^@._-]+)([._-])([^@]+@[^@]+)")


def _parts(kind: str) -> tuple[str, ...]:
    names = getattr(reference_parts("latin/en_US", 100), kind)
    return tuple(name.lower() for name in names if name.isascii() and name.isalpha())


_FIRSTS = _parts("firsts")
_LASTS = tuple(
    f"{last}@{_DOMAINS[row % len(_DOMAINS)]}" for row, last in enumerate(_parts("lasts"))
)


def parse(text: str) -> Pieces:
    """Take an address apart: ``ada | . | roe@mail.org`` or ``ada | @ | mail.org``."""
    text = clean_text(text)
    if words := _WORDS.fullmatch(text):
        first, joiner, last = words.groups()
        return Pieces(first, joiner, last, f"words{joiner}")
    local, at, domain = text.rpartition("@")
    if local and domain:
        return Pieces(local, at, domain, "word")
    return Pieces(text, "", "", "other")


@lru_cache(maxsize=1 << 16)
def _checked(text: str) -> str | None:
    try:
        # Its default asks DNS, which would tell a stranger who is audited.
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def standard(text: str, _region: str | None) -> str:
    """As email-validator normalises it, in lower case; the clean text where it is none."""
    normalized = _checked(clean_text(text))
    return clean_text(text) if normalized is None else normalized.lower()


def refusal(text: str) -> str | None:
    """Why a text is no e-mail address."""
    return "is no e-mail address" if _checked(text) is None else None


def near(text: str) -> tuple[str, ...]:
    """The same before the @, at six other domains."""
    local, _, domain = text.rpartition("@")
    return tuple(f"{local}@{other}" for other in _DOMAINS if other != domain)[:6]


def _written(own: str, other: str) -> str:
    """Family name and domain in the place of such, or the domain alone where own is one."""
    return other if "@" in own else other.rpartition("@")[2]


KIND = piece_kind(
    "email",
    Rules(parse=parse, refusal=refusal, firsts=_FIRSTS, lasts=_LASTS, written=_written),
    lambda _locale: cycled(_FIRSTS, _LASTS, "."),
    standard=standard,
    near=near,
    differs="in the domain",
    fields=("email",),
)

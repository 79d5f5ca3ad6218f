"""A name and a field of contact data as one text: the model is asked whether both go together.

Decoys pair the names and the fields of a list anew. A detector that corrects for parts takes away
what is known of either alone, so that data swapped between two known people are no evidence.
"""

from collections.abc import Sequence

from tuni.texts.contacts import address, email, phone, username
from tuni.texts.contacts.pieces import Pieces, Rules, piece_kind
from tuni.texts.kind import TextKind
from tuni.texts.name_kind import KIND as NAME
from tuni.texts.text import clean_text

JOINER = ", "
_NAMES = tuple(NAME.like("en_US")[:100])


def pair_kind(field: TextKind) -> TextKind:
    """Names beside one kind of contact data, as ``Ada Roe, ada.roe@mail.org``."""

    def split(text: str) -> tuple[str, str]:
        text = clean_text(text)
        # An address has commas of its own; the name before it has none.
        cut = text.find(JOINER) if field.name == "address" else text.rfind(JOINER)
        return (text, "") if cut < 1 else (text[:cut], text[cut + len(JOINER) :])

    def parse(text: str) -> Pieces:
        name, value = split(text)
        if not value:
            return Pieces(name, "", "", "other")
        script = NAME.parse(name).stratum.partition("/")[0]
        return Pieces(name, JOINER, value, f"{script} {field.parse(value).stratum}")

    def refusal(text: str) -> str | None:
        name, value = split(text)
        if not value:
            return f"is no pair of a name and {field.name}"
        if reason := NAME.refusal(name):
            return f"name {reason}"
        return f"{field.name} {reason}" if (reason := field.refusal(value)) else None

    def standard(text: str, region: str | None) -> str:
        name, value = split(text)
        return composed((name, field.standard(value, region))) if value else name

    def written(own: str, other: str) -> str:
        number = field.name == "phone" and not any(map(str.isalpha, own))
        return phone.written(own, other) if number else other

    def fresh(pieces: Sequence[Pieces], count: int) -> tuple[Sequence[str], Sequence[str]]:
        pool = field.pool([one.last for one in pieces], count)
        return _NAMES, pool.recombine(max(100, count // len(_NAMES)), 0, frozenset())

    def like(locale: str) -> list[str]:
        values = field.like(locale)
        return [composed(pair) for pair in zip(NAME.like(locale), values, strict=False)]

    def forms(text: str) -> tuple[str, ...]:
        name, value = split(text)
        return tuple(f"{name}{JOINER}{form}" for form in field.forms(value)) if value else (text,)

    def near(text: str) -> tuple[str, ...]:
        name, value = split(text)
        return tuple(f"{name}{JOINER}{other}" for other in field.near(value)) if value else ()

    return piece_kind(
        f"name_{field.name}",
        Rules(
            parse=parse,
            refusal=refusal,
            firsts=_NAMES,
            lasts=tuple(field.like("en_US")[:100]),
            written=written,
            fresh=fresh,
        ),
        like,
        noise=lambda text: forms(text)[0],
        standard=standard,
        forms=forms,
        near=near,
        differs=field.differs,
        fields=("name", field.name),
        composed=composed,
    )


def composed(values: Sequence[str]) -> str:
    """A name and a field as one text; nothing where one of them is missing."""
    name, value = (clean_text(text) for text in values)
    return f"{name.replace(',', ' ')}{JOINER}{value}" if name and value else ""


PHONE, EMAIL, ADDRESS, USERNAME = map(
    pair_kind, (phone.KIND, email.KIND, address.KIND, username.KIND)
)

"""Kinds of text: what the rest of tuni asks about a text, whatever it is the name of.

Nothing outside this folder knows what a first name is. A kind says which parts of a text can be
exchanged, what stands in for them, and what texts nobody has look like.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from tuni.texts.kinds_by_name import KindsByName
from tuni.texts.text import clean_text

CONTACTS = ("phone", "email", "address", "username")  # beside names; each also paired with one
FIELDS = ("name", *CONTACTS)  # columns about one person

TokenCounts = Callable[[Sequence[str]], Sequence[int]]


@dataclass(frozen=True, slots=True)
class NeighbourParts:
    """Other parts of one stratum that calibrate a text (ours).

    Attributes:
        stratum: Texts whose parts may be exchanged for each other; for names script and locale,
            e.g. ``"latin/de_DE"``.
        firsts: First parts, most usable first; more than are taken, so that a part equal to the
            text's own can be skipped.
        lasts: Last parts, likewise.
    """

    stratum: str
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]


class ParsedText(Protocol):
    """A text taken apart."""

    @property
    def text(self) -> str:
        """The clean text."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Its parts that can be exchanged, first and last; one where it cannot be divided."""
        ...

    @property
    def stratum(self) -> str:
        """Texts of one stratum lend each other parts."""
        ...

    @property
    def common(self) -> bool:
        """Whether all its parts are so common that a stranger may well have the same text."""
        ...


class DecoyPool(Protocol):
    """Parts of some texts, from which texts are made that nobody is known to have.

    What a method gives is distinct after `canonical`, none of it forbidden or a text that the pool
    was made of; fewer than ``n`` where the pool is exhausted. Equal seeds give equal texts, and any
    beginning of a result is a fair sample of it.
    """

    def recombine(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Texts of two parts, each pair within a stratum."""
        ...

    def lone_parts(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Texts of one part; common ones where the pool's own do not suffice."""
        ...

    def across_strata(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """Texts of two parts of different strata, a negative control; none where there is one."""
        ...


def _of_any_kind(_text: str) -> str | None:
    return None


def _unseen(_text: str) -> str:
    return ""


def _cleaned(text: str, _region: str | None) -> str:
    return clean_text(text)


def _as_it_is(text: str) -> tuple[str, ...]:
    return (text,)


def _no_near_miss(_text: str) -> tuple[str, ...]:
    return ()


def _one_field(values: Sequence[str]) -> str:
    return values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextKind:
    """One kind of text.

    Attributes:
        name: Lower-case word; stands in requests, feature specs and bundles.
        parse: Takes any text apart; never fails, and ``parse(text).text == clean_text(text)``.
        has_parts: Whether ``parse`` gives two parts, told as cheaply as can be.
        neighbours: Texts with other last parts, then texts with other first parts, ``count`` of
            each, for a text of two parts and the parts of its stratum or of ``"*"``. A neighbour
            never has the text's own part.
        reference_parts: Parts for neighbours by stratum, ``"*"`` among them.
        pool: The parts of texts, with common parts added where ``n`` decoys need them; n = 0 adds
            none.
        drawn: Plausible texts from lists of our own, like given ones and as long in tokens; the
            arguments are the given texts, how many, seed, forbidden canonical forms, and what
            counts tokens.
        like: Common texts of a locale, to make decoys from where a list lends no parts.
        refusal: Why a text is plainly of another kind, or None; the reason never quotes the text.
        shown: What of a text its bearer's pictures may show, as one word for all texts alike in it:
            beside pictures a text is compared with decoys of the same word alone.
        standard: The one writing of a text, equal for texts that name the same; the second argument
            is the country (``"US"``) of numbers that say none, or None.
        forms: The ways to write a standard text that a model is asked about; the largest score
            counts. More than one where captions may write it so or so.
        near: Texts that differ from a standard text as little as can be: one digit, the next house.
        differs: How, in words for a report: ``"in a digit"``; empty where there are none.
        noise: Gibberish of the shape of given texts; None is as a `GibberishSpec` says. The
            arguments are the texts, how many, the alphabet, seed and forbidden canonical forms.
        fields: Columns of a list that make a text of this kind, where it has no column ``text``.
        composed: The text that values of those columns make.
        searched: Whether a job searches for a detector. Where texts share few parts, neighbours
            are too many for that, and the default is taken, which reads none of them.
    """

    name: str
    parse: Callable[[str], ParsedText]
    has_parts: Callable[[str], bool]
    neighbours: Callable[
        [str, Mapping[str, NeighbourParts], int], tuple[tuple[str, ...], tuple[str, ...]]
    ]
    reference_parts: Callable[[], tuple[NeighbourParts, ...]]
    pool: Callable[[Sequence[str], int], DecoyPool]
    drawn: Callable[[Sequence[str], int, int, AbstractSet[str], TokenCounts], tuple[str, ...]]
    like: Callable[[str], Sequence[str]]
    refusal: Callable[[str], str | None] = _of_any_kind
    shown: Callable[[str], str] = _unseen
    standard: Callable[[str, str | None], str] = _cleaned
    forms: Callable[[str], tuple[str, ...]] = _as_it_is
    near: Callable[[str], tuple[str, ...]] = _no_near_miss
    differs: str = ""
    noise: Callable[[Sequence[str], int, str, int, AbstractSet[str]], tuple[str, ...]] | None = None
    fields: tuple[str, ...] = ("text",)
    composed: Callable[[Sequence[str]], str] = _one_field
    searched: bool = True

    @property
    def kept(self) -> bool:
        """Whether features of its texts may be kept between runs.

        Decoys of texts that join several fields hold whole names of the list, and nobody who is to
        be forgotten could be found in them.
        """
        return len(self.fields) == 1


def register_kind(kind: TextKind) -> None:
    """Make a kind known to this process that no installed package names as an entry point.

    Raises:
        RequestError: The name is taken, or no lower-case word.
    """
    _KINDS.register(kind.name, kind)


def _lacks(name: str, kind: TextKind) -> Iterator[str]:
    if not isinstance(kind, TextKind) or kind.name != name:
        yield "a TextKind of that name"


# Bundles and requests name them.
_KINDS = KindsByName(
    "kind of text",
    group="tuni.texts",
    built_in={
        "name": "tuni.texts.name_kind:KIND",
        **{kind: f"tuni.texts.contacts.{kind}:KIND" for kind in CONTACTS},
        **{f"name_{kind}": f"tuni.texts.contacts.pairs:{kind.upper()}" for kind in CONTACTS},
    },
    lacks=_lacks,
)
text_kind, kind_names = _KINDS.named, _KINDS.names

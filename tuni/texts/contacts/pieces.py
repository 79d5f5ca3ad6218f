"""Kinds of text whose two parts stand side by side: how their parts are exchanged.

The one law: as for names. Parts are contiguous pieces of the text, a decoy never equals a forbidden
text or one of its own pool after canonicalisation, and the set of texts and the seed alone decide.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from tuni.errors import SpecMismatch
from tuni.texts.faker_decoys import apportion
from tuni.texts.kind import NeighbourParts, TextKind, TokenCounts
from tuni.texts.text import canonical, clean_text
from tuni.texts.text import refusal as no_text

REFERENCE_PARTS = 12  # 8 neighbours of each kind and spares, as of names
_LIKE = 200  # texts that decoys are made from where there is no list
_DRAWS = 40  # draws per decoy until a stratum counts as exhausted
_SLACK = 2  # combinations wanted per decoy, so that frequencies can follow the list (ours)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text of two parts, or of one where ``last`` is empty.

    Attributes:
        first: What stands before the joiner.
        joiner: What stands between.
        last: What stands behind.
        stratum: Country, layout: texts of one stratum lend each other parts.
        common: As `tuni.texts.kind.ParsedText`; contact data are nobody's by chance.
    """

    first: str
    joiner: str
    last: str
    stratum: str
    common: bool = False

    @property
    def text(self) -> str:
        """The clean text."""
        return f"{self.first}{self.joiner}{self.last}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Both parts, or the one there is."""
        return (self.first, self.last) if self.last else (self.first,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What tells one such kind from another.

    Attributes:
        parse: Takes any text apart.
        refusal: Why a text is none of the kind, or None.
        firsts: Plausible first parts, distinct.
        lasts: Plausible last parts, likewise.
        written: A part in the writing of another, ``written(own, other)``.
        fresh: Further first and last parts for texts of one stratum, as many as asked; None takes
            ``firsts`` and ``lasts``.
    """

    parse: Callable[[str], Pieces]
    refusal: Callable[[str], str | None]
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    written: Callable[[str, str], str] = lambda _own, other: other
    fresh: Callable[[Sequence[Pieces], int], tuple[Sequence[str], Sequence[str]]] | None = None

    def parts_like(
        self, pieces: Sequence[Pieces], count: int
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Plausible parts for texts of one stratum, in the writing of the first of them."""
        if self.fresh is not None:
            return self.fresh(pieces, count)
        head = pieces[0]
        return (
            [self.written(head.first, part) for part in self.firsts],
            [self.written(head.last, part) for part in self.lasts],
        )


class PiecePool:
    """The parts of some texts, by stratum; see `tuni.texts.kind.DecoyPool`."""

    def __init__(self, rules: Rules, texts: Sequence[str], n: int, *, own: bool = True) -> None:
        """Take texts apart.

        Args:
            rules: Of the kind.
            texts: The texts.
            n: Decoys that must be possible; plausible parts are added where they are not.
            own: Whether the texts lend their parts, else plausible ones alone are taken.
        """
        self._rules = rules
        distinct = {canonical(text): text for text in sorted(texts, reverse=True)}
        self._own = frozenset(distinct)
        parsed = [rules.parse(distinct[key]) for key in sorted(distinct)]
        groups: dict[str, list[Pieces]] = {}
        for pieces in parsed:
            if pieces.last:
                groups.setdefault(pieces.stratum, []).append(pieces)
        self._sizes = {stratum: len(groups[stratum]) for stratum in sorted(groups)}
        self._lone = [pieces.first for pieces in parsed if not pieces.last]
        quotas = apportion(n, self._sizes)
        self._strata = {
            stratum: self._parts(groups[stratum], _SLACK * quotas[stratum], own=own)
            for stratum in self._sizes
        }

    def recombine(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """See `DecoyPool.recombine`; none is of another kind."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, 5]))
        chosen: dict[str, str] = {}
        for stratum, quota in apportion(n, self._sizes).items():
            wanted = len(chosen) + quota
            for text in self._drawn(stratum, _DRAWS * quota, rng):
                if len(chosen) == wanted:
                    break
                self._keep(text, chosen, forbidden)
        texts = list(chosen.values())
        return tuple(texts[row] for row in rng.permutation(len(texts)))

    def lone_parts(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """See `DecoyPool.lone_parts`; none where a text of one part is none of the kind."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, 6]))
        parts = {*self._lone, *self._rules.firsts}
        parts |= {first for _, firsts, _ in self._strata.values() for first in firsts}
        chosen: dict[str, str] = {}
        for part in rng.permutation(sorted(parts)).tolist():
            if len(chosen) < n and not self._rules.parse(part).last:
                self._keep(part, chosen, forbidden)
        return tuple(chosen.values())

    def across_strata(self, n: int, seed: int, forbidden: AbstractSet[str]) -> tuple[str, ...]:
        """None: parts of two layouts make no text of either."""
        return ()

    def _parts(
        self, pieces: Sequence[Pieces], least: int, *, own: bool
    ) -> tuple[Pieces, tuple[str, ...], tuple[str, ...]]:
        """A stratum's first text, and its parts as often as they occur, plausible ones added."""
        firsts, lasts = ([getattr(one, part) for one in pieces] for part in ("first", "last"))
        if own and len({*firsts}) * len({*lasts}) >= least + (len(pieces) if least else 0):
            return pieces[0], tuple(firsts), tuple(lasts)
        more_firsts, more_lasts = self._rules.parts_like(pieces, least)
        if own:
            # The list's own parts weigh as much as the added ones (ours).
            more_firsts = firsts * max(1, round(len(more_firsts) / len(firsts))) + [*more_firsts]
            more_lasts = lasts * max(1, round(len(more_lasts) / len(lasts))) + [*more_lasts]
        return pieces[0], tuple(more_firsts), tuple(more_lasts)

    def _drawn(self, stratum: str, count: int, rng: np.random.Generator) -> Iterator[str]:
        head, firsts, lasts = self._strata[stratum]
        rows, columns = (rng.integers(len(parts), size=count) for parts in (firsts, lasts))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            yield replace(head, first=firsts[row], last=lasts[column]).text

    def _keep(self, text: str, chosen: dict[str, str], forbidden: AbstractSet[str]) -> None:
        key = canonical(text)
        if key in chosen or key in self._own or key in forbidden or no_text(text):
            return
        if self._rules.refusal(text) is None:
            chosen[key] = clean_text(text)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Neighbours and decoys of one kind, by its rules."""

    rules: Rules

    def has_parts(self, text: str) -> bool:
        """Whether a text has two parts."""
        return bool(self.rules.parse(text).last)

    def neighbours(
        self, text: str, parts: Mapping[str, NeighbourParts], count: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """See `TextKind.neighbours`.

        Raises:
            SpecMismatch: There are too few parts.
        """
        pieces, reference = self.rules.parse(text), parts["*"]
        lasts = self._others(pieces.last, reference.lasts, count)
        firsts = self._others(pieces.first, reference.firsts, count)
        return (
            tuple(replace(pieces, last=last).text for last in lasts),
            tuple(replace(pieces, first=first).text for first in firsts),
        )

    def reference_parts(self) -> tuple[NeighbourParts, ...]:
        """See `TextKind.reference_parts`."""
        firsts, lasts = self.rules.firsts, self.rules.lasts
        return (NeighbourParts("*", firsts[:REFERENCE_PARTS], lasts[:REFERENCE_PARTS]),)

    def pool(self, texts: Sequence[str], n: int) -> PiecePool:
        """See `TextKind.pool`."""
        return PiecePool(self.rules, texts, n)

    def drawn(
        self,
        like: Sequence[str],
        n: int,
        seed: int,
        forbidden: AbstractSet[str],
        _token_length: TokenCounts,
    ) -> tuple[str, ...]:
        """See `TextKind.drawn`: of plausible parts alone, in the layouts of ``like``."""
        return PiecePool(self.rules, like, n, own=False).recombine(n, seed, forbidden)

    def _others(self, own: str, candidates: Sequence[str], count: int) -> tuple[str, ...]:
        written = dict.fromkeys(self.rules.written(own, part) for part in candidates)
        others = tuple(part for part in written if canonical(part) != canonical(own))[:count]
        if len(others) < count:
            raise SpecMismatch(
                f"feature spec: {len(candidates)} parts, {count} neighbours and a spare are needed",
                "list more parts, or ask for fewer neighbours",
            )
        return others


def piece_kind(
    name: str,
    rules: Rules,
    like: Callable[[str], Sequence[str]],
    *,
    noise: Callable[[str], str] | None = None,
    **more: object,
) -> TextKind:
    """A kind of text by its rules.

    Args:
        name: Its name.
        rules: How its texts are taken apart.
        like: Common texts of a locale.
        noise: The text whose shape gibberish has; None is the text itself.
        more: Further attributes of `TextKind`.
    """
    exchange = Exchange(rules)
    shape = noise or clean_text

    def shaped(
        texts: Sequence[str], n: int, alphabet: str, seed: int, forbidden: AbstractSet[str]
    ) -> tuple[str, ...]:
        shapes = [shape(text) for text in texts]
        return _shaped_noise(rules, shapes, n, alphabet, seed, forbidden)

    return TextKind(
        name=name,
        parse=rules.parse,
        has_parts=exchange.has_parts,
        neighbours=exchange.neighbours,
        reference_parts=exchange.reference_parts,
        pool=exchange.pool,
        drawn=exchange.drawn,
        like=like,
        noise=shaped,
        searched=False,
        **{"refusal": rules.refusal, **more},  # type: ignore[arg-type]  # the dataclass checks them
    )


def _shaped_noise(
    rules: Rules,
    like: Sequence[str],
    n: int,
    alphabet: str,
    seed: int,
    forbidden: AbstractSet[str],
) -> tuple[str, ...]:
    """Random texts in the shape of given ones: each letter and digit is drawn, all else stays.

    Args:
        rules: Say which texts have two parts, as detectors of neighbours need.
        like: At least one text.
        n: How many.
        alphabet: Signs to draw from; its letters and digits are taken.
        seed: Same seed, same texts.
        forbidden: Canonical forms that must not come out.

    Returns:
        At most ``n`` texts, distinct after `canonical`.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7]))
    signs = [sign for sign in alphabet if sign.isalnum()]
    shapes = sorted({canonical(text): text for text in sorted(like)}.values())
    chosen: dict[str, str] = {}
    for row in rng.integers(len(shapes), size=_DRAWS * n).tolist():
        if len(chosen) == n:
            break
        drawn = rng.integers(len(signs), size=len(shapes[row])).tolist()
        text = "".join(
            signs[place] if sign.isalnum() else sign
            for sign, place in zip(shapes[row], drawn, strict=True)
        )
        key = canonical(text)
        if key not in forbidden and no_text(text) is None and rules.parse(text).last:
            chosen.setdefault(key, clean_text(text))
    return tuple(chosen.values())


def cycled(firsts: Sequence[str], lasts: Sequence[str], joiner: str) -> list[str]:
    """Pairs of parts, as many as the list of texts like a locale's has."""
    return [
        f"{firsts[row % len(firsts)]}{joiner}{lasts[(row + row // len(firsts)) % len(lasts)]}"
        for row in range(min(_LIKE, len(firsts) * len(lasts)))
    ]

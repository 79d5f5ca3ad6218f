"""Rows that hold several fields about one person: a name, a number, an address.

The one law: each field is judged alone and beside the name, by a detector of its own, and a row has
one p. It rests on name and field together where a row has both, since that alone tells data that
belong together from data that are known. Decoy rows pair the list's names and fields anew, and a
row is exchanged as a whole, so that p holds however the texts of a row depend on each other.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuni.errors import TextError
from tuni.hashing import derive_seed
from tuni.judging.judge import Judge
from tuni.judging.near import near_ranks
from tuni.judging.null import JudgeOptions, require_decoys, require_enough
from tuni.judging.part_effects import Correction
from tuni.lists.people import Fields
from tuni.lists.shape import ListShape
from tuni.statistics.p_values import Floats, conformal_p, q_values, smallest_p, summed_p, within_row
from tuni.statistics.spelling import decoy_check
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

NAME = "name"
_FEW = 100  # values of a field below which plausible ones are added for decoy rows
_DRAWS = 40  # decoy rows drawn for each that is wanted


def scored_kinds(fields: Sequence[str]) -> tuple[str, ...]:
    """Kinds of text that rows of these fields are judged as: beside the name, then alone."""
    pairs = [f"{NAME}_{field}" for field in fields if field != NAME] if NAME in fields else []
    return (*pairs, *fields)


def decisive(kinds: Sequence[str]) -> tuple[str, ...]:
    """Those of a row's kinds that its p rests on: name and field, else fields, else the name."""
    pairs = tuple(kind for kind in kinds if kind.startswith(f"{NAME}_"))
    return pairs or tuple(kind for kind in kinds if kind != NAME) or tuple(kinds)


def text_of(kind: str, row: Fields) -> str:
    """The text that a row has of a kind, or an empty one."""
    fields = text_kind(kind).fields
    return text_kind(kind).composed([row.get(field, "") for field in fields])


@dataclass(frozen=True, slots=True, eq=False)
class KindScores:
    """What one detector says of a list's texts of its kind.

    Attributes:
        z: Standardised score by canonical text.
        p: Conformal p, the larger of those against the bundle's and the list's decoys.
        decoys: Standardised scores of decoys of two parts, row by row of `decoy_rows` for pairs.
        correction: For the parts of texts of two parts.
        withheld: Whether decoys can be told from the list by their spelling.
        lone: Canonical texts of one part, which have decoys of their own.
    """

    z: Mapping[str, float]
    p: Mapping[str, float]
    decoys: Floats
    correction: Correction
    withheld: bool
    lone: frozenset[str]


@dataclass(frozen=True, slots=True)
class PersonVerdict:
    """What is said of a row.

    Attributes:
        p: Of the row.
        q: p adjusted over the list.
        kinds: What p rests on.
        p_by_kind: Of each kind of text that the row has, corrected within the row.
        near_rank: Place of the exact text among its near misses where the row has a finding, and of
            how many, as ``"1 of 7"``; empty elsewhere.
    """

    p: float
    q: float
    kinds: tuple[str, ...]
    p_by_kind: Mapping[str, float]
    near_rank: str


@dataclass(frozen=True, slots=True, eq=False)
class PeopleVerdicts:
    """What is said of a list of rows.

    Attributes:
        rows: By row.
        withheld: Kinds whose decoys can be told from the list by their spelling: then no verdict
            is given.
        decoys: Decoy rows.
    """

    rows: tuple[PersonVerdict, ...]
    withheld: tuple[str, ...]
    decoys: int


def judge_people(
    judges: Mapping[str, Judge], rows: Sequence[Fields], options: JudgeOptions
) -> PeopleVerdicts:
    """Judge rows of several fields.

    Args:
        judges: A detector for each scored kind that occurs; all of one checkpoint.
        rows: At least one, each with a text that can be scored of every kind that it has.
        options: How many decoys, and the correction behind the q-values.

    Raises:
        RequestError: List decoys were turned off, and a detector needs them.
        TooFewTexts: The decoys are too few for the operating point.
        TextError: There are no rows.
    """
    if not rows:
        raise TextError("list: no row that can be scored", "give at least one")
    texts = {kind: _texts(kind, rows) for kind in judges}
    seed = derive_seed(next(iter(judges.values())).bundle.seed, "list decoys")
    together = decoy_rows(rows, list(judges), options.decoys_for(len(rows)), seed)
    scores = {
        kind: _scores(judge, kind, texts[kind], together, options)
        for kind, judge in judges.items()
        if texts[kind]
    }
    kinds = [tuple(kind for kind in scores if text_of(kind, row)) for row in rows]
    p = [_row_p(row, decisive(own), scores) for row, own in zip(rows, kinds, strict=True)]
    levels = Counter(
        {tuple(sorted(row.items())): value for row, value in zip(rows, p, strict=True)}.values()
    )
    q = q_values(levels, options.dependence)
    point = next(iter(judges.values())).bundle.operating_point
    judged = []
    for row, own, value in zip(rows, kinds, p, strict=True):
        named = {kind: scores[kind].p[canonical(text_of(kind, row))] for kind in own}
        rank = _near_rank(row, decisive(own), judges, scores) if value <= point else ""
        judged.append(PersonVerdict(value, q[value], decisive(own), within_row(named), rank))
    used = {kind for one in judged for kind in one.kinds}
    withheld = tuple(kind for kind in scores if kind in used and scores[kind].withheld)
    return PeopleVerdicts(tuple(judged), withheld, len(together))


def decoy_rows(rows: Sequence[Fields], kinds: Sequence[str], n: int, seed: int) -> list[Fields]:
    """Rows of the list's names and fields, each from another place, for kinds beside the name.

    Args:
        rows: Of the list.
        kinds: Kinds of text; none beside the name, no rows.
        n: How many; fewer where the list gives fewer.
        seed: Of the draw.

    Returns:
        Rows with a value of every field, of which no text beside the name is on the list or in an
        earlier row.
    """
    pairs = [kind for kind in kinds if kind.startswith(f"{NAME}_")]
    if not pairs or not n:
        return []
    fields = (NAME, *(kind.removeprefix(f"{NAME}_") for kind in pairs))
    rng = np.random.default_rng(np.random.SeedSequence([seed, 8]))
    values = {field: _values(field, rows) for field in fields}
    taken = {kind: {canonical(text_of(kind, row)) for row in rows} for kind in pairs}
    drawn: list[Fields] = []
    places = {field: rng.integers(len(values[field]), size=_DRAWS * n) for field in fields}
    for draw in range(_DRAWS * n):
        if len(drawn) == n:
            break
        row = {field: values[field][places[field][draw]] for field in fields}
        keys = {kind: canonical(text_of(kind, row)) for kind in pairs}
        if not any(keys[kind] in taken[kind] for kind in pairs):
            drawn.append(row)
            for kind in pairs:
                taken[kind].add(keys[kind])
    return drawn


def _values(field: str, rows: Sequence[Fields]) -> list[str]:
    """A field's values, sorted, with plausible ones where the list has few."""
    own = sorted(row[field] for row in rows if row.get(field))
    kind = text_kind(field)
    if len({*own}) >= _FEW:
        return own
    more = kind.pool(own or kind.like("en_US"), _FEW).recombine(_FEW, 0, frozenset())
    return own * max(1, round(len(more) / max(1, len(own)))) + sorted(more)


def _texts(kind: str, rows: Sequence[Fields]) -> list[str]:
    """Distinct texts of a kind, by canonical form."""
    texts = {canonical(text): text for row in reversed(rows) if (text := text_of(kind, row))}
    return [texts[key] for key in sorted(texts)]


def _scores(
    judge: Judge,
    kind: str,
    texts: Sequence[str],
    together: Sequence[Fields],
    options: JudgeOptions,
) -> KindScores:
    require_decoys(judge.bundle, options)
    keeping, listed = judge.keeping(), {canonical(text) for text in texts}
    shape = ListShape.of(texts, judge.kind)
    drawn = judge.draw_decoys(
        shape,
        options,
        lambda some: [row for row, text in enumerate(some) if canonical(text) in listed],
    )
    beside = kind.startswith(f"{NAME}_")
    whole = tuple(text_of(kind, row) for row in together) if beside else drawn.pair
    z: dict[str, float] = {}
    p: dict[str, float] = {}
    standard, corrected, withheld = np.empty(0), Correction(), False
    for paired, decoys in ((True, whole), (False, drawn.single)):
        some = [text for text in texts if judge.kind.has_parts(text) == paired]
        if not some:
            continue
        scorer = judge.bundle.pair if paired else judge.bundle.single
        if scorer is None:
            raise TextError(f"list: a {kind} of one part", "score full ones")
        known, correction = scorer.decoy_scores, Correction()
        if options.list_decoys:
            require_enough(len(decoys), judge.bundle.operating_point)
            correction, own = keeping.score_decoys(decoys, paired=paired, beside=some)
            withheld |= paired and decoy_check(some, decoys, judge.kind, judge.bundle.seed).tripped
        else:
            own = known
        values = keeping.scores(some, correction, paired=paired)
        centre, spread = float(own.mean()), float(own.std()) or 1.0
        worst = np.maximum(conformal_p(values, known), conformal_p(values, own))
        for text, value, of_text in zip(some, values.tolist(), worst.tolist(), strict=True):
            z[canonical(text)], p[canonical(text)] = (value - centre) / spread, of_text
        if paired:
            standard, corrected = (own - centre) / spread, correction
    lone = frozenset(canonical(text) for text in texts if not judge.kind.has_parts(text))
    if not options.list_decoys:
        standard = np.empty(0)
    return KindScores(z, p, standard, corrected, withheld, lone)


def _row_p(row: Fields, kinds: Sequence[str], scores: Mapping[str, KindScores]) -> float:
    keys = {kind: canonical(text_of(kind, row)) for kind in kinds}
    if len(kinds) == 1:
        return scores[kinds[0]].p[keys[kinds[0]]]
    decoys = min(len(scores[kind].decoys) for kind in kinds)
    if not decoys or any(keys[kind] in scores[kind].lone for kind in kinds):
        return float(smallest_p([[scores[kind].p[keys[kind]] for kind in kinds]])[0])
    own = [[scores[kind].z[keys[kind]] for kind in kinds]]
    return float(summed_p(own, np.stack([scores[kind].decoys[:decoys] for kind in kinds], 1))[0])


def _near_rank(
    row: Fields,
    kinds: Sequence[str],
    judges: Mapping[str, Judge],
    scores: Mapping[str, KindScores],
) -> str:
    """Rank of the first of a row's texts that has near misses."""
    for kind in _with_near(row, kinds):
        text = text_of(kind, row)
        (rank,) = near_ranks(judges[kind], [text], scores[kind].correction)
        return f"{rank} of {1 + len(text_kind(kind).near(text))}"
    return ""


def _with_near(row: Fields, kinds: Sequence[str]) -> Iterator[str]:
    for kind in kinds:
        text = text_of(kind, row)
        if text_kind(kind).has_parts(text) and text_kind(kind).near(text):
            yield kind

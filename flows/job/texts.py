"""The texts of a job's files, each file read once, and what is refused before work begins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from flows.machine.settings import Request
from registry.keys.pseudonyms import Keys
from tuni.errors import RequestError, TooFewTexts
from tuni.features.spec import FeatureSpec
from tuni.judging.fits import Repeats, kept_characters, too_long, unfit
from tuni.judging.null import decoys_needed
from tuni.lists.csv_rows import Wrong
from tuni.lists.labelled import Labelled, Subjects, read_content, read_labelled, read_subjects
from tuni.lists.reading import RowTexts
from tuni.lists.sets import NullDraw, NullSizes, TextSets, make_sets
from tuni.lists.split import Split
from tuni.model.target import Target
from tuni.texts.gibberish import ALPHABET, GibberishSpec
from tuni.texts.kind import TextKind, text_kind
from tuni.texts.text import canonical

T = TypeVar("T")
Table = TypeVar("Table", Labelled, Subjects)

LEAST_LABELS = 20  # of each kind, for the objective 'labelled' (ours)
LEAST_LISTED = 40  # for the objective 'label-free' (ours)


@dataclass(frozen=True, slots=True, eq=False)
class JobTexts:
    """What the files of a request hold.

    Attributes:
        kind: Of all of them.
        labelled: The table of labelled texts, or None.
        listed: The unlabelled list, or None.
        decoys: The user's own decoys, or None.
        members: Label of each labelled text, by canonical text.
        captions: Training captions of each, None where the table does not know them.
        groups: Named group of each.
        digests: Of the files, keyed with the home's key; None where there is no such file.
        left_out: How many texts of the first two could not be scored.
    """

    kind: TextKind
    labelled: Labelled | None
    listed: Subjects | None
    decoys: Subjects | None
    members: Mapping[str, bool]
    captions: Mapping[str, int | None]
    groups: Mapping[str, str]
    digests: Mapping[str, str | None]
    left_out: int = 0

    @property
    def full_names(self) -> tuple[list[bool], int]:
        """Labels of the labelled full names, and how many other full names are listed."""
        # Names of one part are scored by a detector of their own, which nothing is searched for.
        labelled, listed = (
            {canonical(text) for text in table.texts if self.kind.has_parts(text)}
            if table
            else set()
            for table in (self.labelled, self.listed)
        )
        return [self.members[key] for key in labelled], len(listed - self.members.keys())


def read_texts(request: Request, keys: Keys) -> JobTexts:
    """Read the files of a request.

    Args:
        request: Names them.
        keys: Key the files' digests, so that nobody who reads one can confirm a guessed list.

    Raises:
        TextError: One cannot be read, is no such table, or holds a text that is refused.
    """
    if request.subjects.kinds:
        raise RequestError(
            "subjects.kinds: is for `tuni run`, which does a job for each kind of text",
            "give one `kind`, or run `tuni run`",
        )
    digests: dict[str, str | None] = {}
    asked = request.subjects
    reading = RowTexts(text_kind(asked.kind), asked.region, asked.names)

    def read(name: str, path: Path | None, table: Callable[[Path, bytes, RowTexts], T]) -> T | None:
        content = None if path is None else read_content(path)
        digests[name] = None if content is None else keys.content_digest(content)
        return None if path is None or content is None else table(path, content, reading)

    labelled = read("labelled", request.subjects.labelled, read_labelled)
    listed = read("list", request.subjects.list_, read_subjects)
    decoys = read("decoys", request.nulls.decoys, read_subjects)
    return _held(reading.kind, labelled, listed, decoys, digests)


def fitting_texts(request: Request, texts: JobTexts, target: Target, spec: FeatureSpec) -> JobTexts:
    """The texts that can be scored: not of another kind, nor too long for the model.

    Args:
        request: Names the files, and says whether such lines are left out.
        texts: What they hold.
        target: The audited checkpoint.
        spec: What will be extracted.

    Raises:
        TextError: There are such lines, or decoys of one part, and they are not to be left out; the
            first five are named. Nor is a whole file ever left out.
    """

    def fitting(path: Path | None, table: Table | None) -> Table | None:
        if path is None or table is None:
            return table
        reasons = Repeats(target).among(table.texts) | unfit(target, table.texts, spec)
        if table is texts.decoys:
            reasons |= {
                row: "one part only, decoys are full names"
                for row, text in enumerate(table.texts)
                if not texts.kind.has_parts(text)
            }
        if not request.subjects.skip_bad or len(reasons) == len(table.texts):
            wrong = Wrong(path.name, "mend these lines, or leave them out (--skip-bad)")
            for row, reason in sorted(reasons.items()):
                wrong.add(table.lines[row], reason)
            wrong.refuse()
        return replace(
            table,
            **{
                field.name: tuple(
                    value
                    for row, value in enumerate(getattr(table, field.name))
                    if row not in reasons
                )
                for field in fields(table)
            },
        )

    labelled = fitting(request.subjects.labelled, texts.labelled)
    listed = fitting(request.subjects.list_, texts.listed)
    left_out = sum(
        len(before.texts) - len(after.texts)
        for before, after in ((texts.labelled, labelled), (texts.listed, listed))
        if before and after
    )
    decoys = fitting(request.nulls.decoys, texts.decoys)
    return _held(texts.kind, labelled, listed, decoys, texts.digests, left_out)


def _held(
    kind: TextKind,
    labelled: Labelled | None,
    listed: Subjects | None,
    decoys: Subjects | None,
    digests: Mapping[str, str | None],
    left_out: int = 0,
) -> JobTexts:
    table = labelled or Labelled((), (), (), ())
    known = [canonical(text) for text in table.texts]
    return JobTexts(
        kind,
        labelled,
        listed,
        decoys,
        dict(zip(known, table.members, strict=True)),
        dict(zip(known, table.captions, strict=True)),
        dict(zip(known, table.groups, strict=True)),
        digests,
        left_out,
    )


def draw_sets(
    request: Request, texts: JobTexts, target: Target, spec: FeatureSpec, split: Split
) -> TextSets:
    """Put every text of a job into exactly one set, decoys and gibberish drawn for them.

    Args:
        request: Sizes, sources and the seed.
        texts: What its files hold.
        target: The audited checkpoint, which must be able to read them.
        spec: What will be extracted.
        split: Keyed split of labels and list.

    Raises:
        TooFewTexts: Too few distinct decoys can be made, or too few for the operating point.
    """
    asked = request.nulls
    # Tokens that the longest prompt leaves for a text. A random character is about a token: a
    # short context holds shorter gibberish.
    prompts = sorted({prompt.format("x") for prompt in spec.prompts})
    room = target.context_length - int(target.token_counts(prompts).max()) + 1
    low, high = asked.gibberish_length
    high = min(high, max(2, room // 2 - 1))
    gibberish = GibberishSpec(asked.alphabet or ALPHABET, min(low, high), high)
    gibberish = replace(gibberish, alphabet=kept_characters(target, gibberish.alphabet))

    def fitting(drawn: tuple[str, ...]) -> tuple[str, ...]:
        """Those of some texts that the model reads whole, with their neighbours."""
        over = too_long(target, drawn, spec)
        return tuple(text for row, text in enumerate(drawn) if row not in over)

    draw = NullDraw(
        sizes=NullSizes(
            gibberish=asked.gibberish,
            decoy_fit=asked.decoy_fit,
            decoy_search=asked.decoy_search,
            decoy_calibration=asked.decoy_calibration,
            decoy_check=asked.decoy_check,
        ),
        gibberish_spec=gibberish,
        seed=request.compute.seed,
        source=asked.source,
        kind=texts.kind,
        token_length=lambda drawn: target.token_counts(drawn).tolist(),
        own_decoys=texts.decoys.texts if texts.decoys else (),
        locale=asked.locale,
        fitting=fitting,
    )
    sets = make_sets(texts.labelled, texts.listed.texts if texts.listed else (), split, draw)
    require_reachable(request.operating_point, len(sets.decoy_calibration))
    return sets


def require_reachable(operating_point: float, decoys: int) -> None:
    """Refuse an operating point that no p-value against so few decoys could fall to.

    Raises:
        TooFewTexts: There are too few calibration decoys.
    """
    needed = decoys_needed(operating_point)
    if decoys < needed:
        raise TooFewTexts(
            f"operating_point: {operating_point:g} needs {needed} calibration decoys, "
            f"there are {decoys}",
            "raise nulls.decoy_calibration, give more names, or a larger operating_point",
        )


def chosen_objective(asked: str, kind: TextKind, members: int, nonmembers: int, listed: int) -> str:
    """What the search maximises; ``"none"`` where there is nothing to search on.

    Args:
        asked: The request's word.
        kind: Of the texts.
        members: Labelled members with full names.
        nonmembers: Labelled non-members with full names.
        listed: Full names of the list that are not labelled.

    Raises:
        RequestError: There are too few texts for the objective asked.
    """
    if not kind.searched:
        if asked not in ("auto", "none"):
            raise RequestError(
                f"search.objective: {asked!r}, but nothing is searched for texts of the kind "
                f"{kind.name}: they share too few parts",
                "leave 'auto'; the default detector is calibrated and measured",
            )
        return "none"
    if asked == "labelled" and min(members, nonmembers) < LEAST_LABELS:
        raise RequestError(
            f"search.objective: 'labelled' needs {LEAST_LABELS} members and {LEAST_LABELS} "
            f"non-members with full names in subjects.labelled, it has {members} and {nonmembers}",
            "add labels, or take 'label-free' with a list, or leave 'auto'",
        )
    if asked == "label-free" and listed < LEAST_LISTED:
        raise RequestError(
            f"search.objective: 'label-free' needs {LEAST_LISTED} full names in subjects.list "
            f"that are not labelled, it has {listed}",
            "give a longer list, or leave 'auto'",
        )
    if asked != "auto":
        return asked
    if min(members, nonmembers) >= LEAST_LABELS:
        return "labelled"
    return "label-free" if listed >= LEAST_LISTED else "none"

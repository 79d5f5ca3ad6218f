"""Verdicts for a whole list of any length, in a file or in memory: numbers beside an index.

The one law: the verdicts of a list are the same wherever it comes from, and what is held of a row
is 16 bytes, of a person 60 and the text, beside the texts' features of one block.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.bundle import Bundle
from tuni.errors import TextError
from tuni.judging.fits import Repeats
from tuni.judging.judge import Judge, ListDecoys
from tuni.judging.null import JudgeOptions, ListNull, evidence_of_list
from tuni.judging.record import SELECTED_ON, Grounds, Judged, Record, measured_power
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import Row
from tuni.lists.reading import RowTexts
from tuni.lists.rows import REFUSED, ListIndex, SelectedOn, TextRows, read_list
from tuni.lists.shape import SAMPLE, ListShape
from tuni.statistics.list_evidence import ListEvidence
from tuni.statistics.p_values import Floats, q_values
from tuni.texts.arrangement import Arrangement
from tuni.texts.kind import text_kind

# Texts whose features are held at once: as many as an extraction holds columns of.
BLOCK = 16_384
_MEND = "mend these rows, or skip them (--skip-bad)"


@dataclass(frozen=True, slots=True, eq=False)
class ListVerdicts:
    """What is said about the people of a list.

    Attributes:
        index: The list.
        null: What its texts were ranked against beside the bundle's decoys.
        grounds: What every verdict rests on.
        score: By person, shape (people,), as the next three: higher is nearer to "trained on".
        p_decoy: Conformal p-values, the larger of those against the bundle's and the list's decoys.
        p_gibberish: Likewise, against gibberish.
        q_value: p_decoy adjusted over the list.
        flags: Number of each person's flags in ``flag_words``.
        flag_words: The sets of flags that occur.
    """

    index: ListIndex
    null: ListNull
    grounds: Grounds
    score: Floats
    p_decoy: Floats
    p_gibberish: Floats
    q_value: Floats
    flags: NDArray[np.int32]
    flag_words: tuple[tuple[str, ...], ...]

    def record(self, person: int) -> Record:
        """A person's verdict; see `tuni.judging.record`."""
        judged = Judged(
            float(self.score[person]),
            float(self.p_decoy[person]),
            float(self.p_gibberish[person]),
            self.flag_words[self.flags[person]],
        )
        return self.grounds.record(judged, float(self.q_value[person]))

    def rows(self) -> Iterator[tuple[Row, Record]]:
        """Each row of the list with what is said of it; the list is read once more."""
        index = self.index
        for row, (_, cells) in enumerate(index.source.rows()):
            person = int(index.people[row])
            said = {"error": index.reasons[row]} if person == REFUSED else self.record(person)
            yield cells, {"text": index.reading.raw(cells), **said}

    def records(self) -> list[Record]:
        """What is said of each row, with the text as it came."""
        return [record for _, record in self.rows()]

    def by_row(self, values: Floats) -> Floats:
        """Values of people as values of the rows that were scored."""
        people = self.index.people
        scored: Floats = values[people[people != REFUSED]]
        return scored

    def evidence(self, bundle: Bundle) -> ListEvidence | None:
        """What is said of the list as a whole; see `evidence_of_list`."""
        chosen = np.array([SELECTED_ON in words for words in self.flag_words])[self.flags]
        levels, selected_on = Counter(self.p_decoy.tolist()), Counter(self.p_decoy[chosen].tolist())
        return evidence_of_list(bundle, self.null, levels, selected_on)

    def counts(self) -> dict[str, int]:
        """How many rows got which verdict."""
        rows = np.bincount(self.index.people[self.index.people != REFUSED])
        counts: dict[str, int] = {}
        for p, count in zip(self.p_decoy.tolist(), rows.tolist(), strict=True):
            word = self.grounds.verdict(p)
            counts[word] = counts.get(word, 0) + count
        return counts


def scorable(judge: Judge, index: ListIndex, wrong: Wrong) -> ListIndex:
    """The list without those whom this detector or its checkpoint cannot score.

    Args:
        judge: The detector.
        index: The list.
        wrong: Is told of each row of theirs.
    """
    reasons: dict[int, str] = {}
    repeats = Repeats(judge.target)
    for start in range(0, len(index.texts), BLOCK):
        texts = index.texts[start : start + BLOCK]
        bad = repeats.among(texts) | judge.unscorable(texts)
        reasons |= {start + row: why for row, why in bad.items()}
    return index.without(reasons, wrong)


def decoys_of(judge: Judge, index: ListIndex, options: JudgeOptions) -> ListDecoys:
    """Recombine a list's decoys; see `Judge.draw_decoys`."""
    shape = ListShape.of(index.texts, judge.kind, SAMPLE if options.list_decoys else 0)
    return judge.draw_decoys(shape, options, index.on_list)


def judge_list(
    judge: Judge,
    index: ListIndex,
    options: JudgeOptions,
    *,
    decoys: ListDecoys | None = None,
    model_version: str = "",
    selected_on: SelectedOn = lambda _: (),
    block: int = BLOCK,
) -> ListVerdicts:
    """Give a verdict for each person of a list.

    Args:
        judge: The detector.
        index: The list; at least one person, each of whom can be scored (see `scorable`).
        options: How it is judged.
        decoys: Of the list; None draws them.
        model_version: Registered version of the detector, or ``""``.
        selected_on: Which of some texts took part in choosing the bundle.
        block: People that are judged at once; moves no verdict.

    Raises:
        TooFewTexts: The list's decoys are too few for the bundle's operating point.
    """
    if decoys is None:
        decoys = decoys_of(judge, index, options)
    # The first block, of most lists the only one, is extracted together with the decoys.
    keeping = judge.keeping()
    null = keeping.null_of(decoys, options, beside=index.texts[:block])
    numbers = np.empty((3, len(index.texts)))
    flags = np.empty(len(index.texts), dtype=np.int32)
    flag_words: dict[Sequence[str], int] = {}
    for start in range(0, len(index.texts), block):
        texts = index.texts[start : start + block]
        judged = keeping.judge(texts, null, selected_on(texts))
        people = slice(start, start + len(texts))
        numbers[:, people] = [
            [one.score for one in judged],
            [one.p_decoy for one in judged],
            [one.p_gibberish for one in judged],
        ]
        flags[people] = [flag_words.setdefault(one.flags, len(flag_words)) for one in judged]
        keeping = judge  # no later block is asked about twice
    levels, level, counts = np.unique(numbers[1], return_inverse=True, return_counts=True)
    q = q_values(dict(zip(levels.tolist(), counts.tolist(), strict=True)), options.dependence)
    return ListVerdicts(
        index=index,
        null=null,
        grounds=grounds_of(judge.bundle, null, model_version),
        score=numbers[0],
        p_decoy=numbers[1],
        p_gibberish=numbers[2],
        q_value=np.array([q[value] for value in levels.tolist()])[level],
        flags=flags,
        flag_words=tuple(tuple(words) for words in flag_words),
    )


def reading_of(bundle: Bundle, arrangement: Arrangement = "first-last") -> RowTexts:
    """How the rows of a list, whose names are arranged so, become texts that a detector judges."""
    region = bundle.settings.get("region")
    known = region if isinstance(region, str) else None
    return RowTexts(text_kind(bundle.kind), known, arrangement)


def grounds_of(bundle: Bundle, null: ListNull, model_version: str) -> Grounds:
    """What verdicts about a list by a bundle rest on."""
    return Grounds(
        bundle.operating_point,
        null.withheld,
        measured_power(bundle),
        model_version,
        bundle.fingerprint,
    )


def judge_texts(
    judge: Judge,
    texts: Sequence[str],
    options: JudgeOptions,
    model_version: str = "",
    selected_on: SelectedOn = lambda _: (),
    *,
    block: int = BLOCK,
) -> ListVerdicts:
    """Give a verdict for each text of a list in memory.

    Args:
        judge: The detector.
        texts: The list, at least one text; spellings of one person get equal verdicts.
        options: How it is judged.
        model_version: As in `judge_list`, like the two that follow.
        selected_on: Which of some texts took part in choosing the bundle, by row.
        block: People that are judged at once.

    Raises:
        TextError: A text cannot be scored (rows named).
        TooFewTexts: The list's decoys are too few for the bundle's operating point.
    """
    if not texts:
        raise TextError("subjects: the list is empty", "give at least one text")
    wrong = Wrong("subjects", _MEND)
    index = read_list(TextRows(texts), wrong, reading_of(judge.bundle))
    wrong.refuse()
    index = scorable(judge, index, wrong)
    wrong.refuse()
    return judge_list(
        judge, index, options, model_version=model_version, selected_on=selected_on, block=block
    )

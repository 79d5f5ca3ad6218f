"""Verdicts for a list in a file, of any length: the rows are numbers, the texts stay in the file.

The one law: the verdicts are those of `tuni.judging.judge` for the same list, and what is held of a
row is 32 bytes at most, of a person 28, and the texts of one block.
"""

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.bundle import Bundle
from tuni.features.extract import FeatureCache
from tuni.judging.fits import unscorable
from tuni.judging.judge import BLOCK, judge_block, require_checkpoint
from tuni.judging.null import JudgeOptions, ListNull, list_null
from tuni.judging.scores import KeptFeatures
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import BATCH, SubjectFile, text_refusal
from tuni.lists.shape import SAMPLE, ListShape
from tuni.model.target import Target
from tuni.progress import SILENT, Progress
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE, WITHHELD, Floats, q_values
from tuni.texts.text import canonical, clean_text

REFUSED = -1  # the person of a row that cannot be scored

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ListIndex:
    """Who stands in which row of a file.

    Attributes:
        file: The list.
        people: Person of each row, from 0, or `REFUSED`; shape (rows,).
        reasons: Why a refused row cannot be scored, by row.
        keys: Two halves of each person's digest, ascending, shape (2, people); a text's canonical
            form gives it.
        last: The last row of each person, shape (people,).
        several: Whether the person stands there in several spellings, shape (people,).
    """

    file: SubjectFile
    people: Numbers
    reasons: Mapping[int, str]
    keys: NDArray[np.uint64]
    last: Numbers
    several: NDArray[np.bool_]

    @property
    def scored(self) -> int:
        """Rows that can be scored."""
        return int((self.people != REFUSED).sum())

    def spellings(self) -> Iterator[tuple[int, str]]:
        """Each person once, with the spelling that does not depend on the order of the rows."""
        seen: dict[int, str] = {}
        for row, (_, given) in enumerate(self.file.rows()):
            person = int(self.people[row])
            if person == REFUSED:
                continue
            text = clean_text(given["text"])
            if self.several[person]:
                text = min(seen.pop(person, text), text)
                seen[person] = text
            if row == self.last[person]:
                seen.pop(person, None)
                yield person, text

    def on_list(self, texts: Sequence[str]) -> list[int]:
        """Rows of these texts that are on the list."""
        found = []
        for row, text in enumerate(texts):
            first, second = _digest(canonical(text))
            place = int(np.searchsorted(self.keys[0], first))
            while place < self.keys.shape[1] and self.keys[0, place] == first:
                if self.keys[1, place] == second:
                    found.append(row)
                    break
                place += 1
        return found


@dataclass(frozen=True, slots=True, eq=False)
class ListVerdicts:
    """What is said about the people of a list; see `tuni.judging.judge.Verdict`.

    Attributes:
        null: Of the list.
        score: Shape (people,); likewise the next three.
        p_decoy: Conformal p-values.
        p_gibberish: Likewise, against gibberish.
        q_value: Adjusted over the list.
        flags: Number of each person's flags in `words`.
        words: Flags as they are written.
        operating_point: p at or below which a text gets a finding.
    """

    null: ListNull
    score: Floats
    p_decoy: Floats
    p_gibberish: Floats
    q_value: Floats
    flags: NDArray[np.int32]
    words: tuple[str, ...]
    operating_point: float

    def record(self, person: int) -> dict[str, str | float | None]:
        """A verdict's columns; where it is withheld there is neither p nor q."""
        withheld = self.null.withheld is not None
        p = float(self.p_decoy[person])
        return {
            "score": float(self.score[person]),
            "p_decoy": None if withheld else p,
            "p_gibberish": float(self.p_gibberish[person]),
            "q_value": None if withheld else float(self.q_value[person]),
            "verdict": self.verdict(person),
            "operating_point": self.operating_point,
            "flags": self.words[self.flags[person]],
        }

    def verdict(self, person: int) -> str:
        """The words."""
        if self.null.withheld is not None:
            return WITHHELD
        return EVIDENCE if self.p_decoy[person] <= self.operating_point else NO_EVIDENCE


def check_texts(file: SubjectFile, wrong: Wrong) -> None:
    """Read the list once and collect texts that no checkpoint could score.

    Raises:
        TextError: The file is no such table.
    """
    for place, given in file.rows():
        reason = text_refusal(given.get("text"))
        if reason is not None:
            wrong.add(place, reason, file.unit)


def index_list(file: SubjectFile, target: Target, bundle: Bundle, wrong: Wrong) -> ListIndex:
    """Read the list once and note who stands in which row.

    Args:
        file: The list.
        target: The checkpoint, which cannot read every text.
        bundle: The detector, likewise.
        wrong: Is told of each row that cannot be scored.

    Raises:
        TextError: The file is no such table.
    """
    first, second, spelling, rows = array("Q"), array("Q"), array("Q"), array("q")
    reasons: dict[int, str] = {}
    count = 0
    for some in _batches(file):
        told = {
            row: why
            for row, (_, given) in enumerate(some)
            if (why := text_refusal(given.get("text"))) is not None
        }
        rest = [row for row in range(len(some)) if row not in told]
        texts = [clean_text(some[row][1]["text"]) for row in rest]
        told |= {rest[n]: why for n, why in unscorable(target, texts, bundle).items()}
        for row, text in zip(rest, texts, strict=True):
            if row not in told:
                one, two = _digest(canonical(text))
                first.append(one)
                second.append(two)
                spelling.append(hash(text) % (1 << 64))  # compared in this process alone
                rows.append(count + row)
        for row, why in sorted(told.items()):
            wrong.add(some[row][0], why, file.unit)
            reasons[count + row] = why
        count += len(some)
    return _indexed(
        file,
        count,
        reasons,
        np.frombuffer(rows, dtype=np.int64),
        *(np.frombuffer(part, dtype=np.uint64) for part in (first, second, spelling)),
    )


def judge_list(
    bundle: Bundle,
    target: Target,
    index: ListIndex,
    options: JudgeOptions,
    *,
    selected_on: Callable[[Sequence[str]], Collection[int]] = lambda _: (),
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
    block: int = BLOCK,
) -> ListVerdicts:
    """Give a verdict for each person of a list in a file.

    Args:
        bundle: Detector, calibration scores and spec.
        target: The checkpoint that the bundle was made for.
        index: Of the list; somebody on it can be scored.
        options: See `JudgeOptions`.
        selected_on: Which of some texts took part in choosing the bundle, by row.
        cache: Keeps the features of the list's texts between calls.
        progress: Draws the stages.
        block: People that are judged at once; moves no verdict.

    Raises:
        FingerprintMismatch: The checkpoint is not the bundle's.
        TooFewTexts: The list's decoys are too few for the bundle's operating point.
    """
    require_checkpoint(bundle, target)
    # The first block, of most lists the only one, is extracted together with the decoys.
    behind: FeatureCache | None = KeptFeatures(cache)
    everybody = index.spellings()
    some = list(islice(everybody, block))
    sample = SAMPLE if options.list_decoys else 0
    null = list_null(
        bundle,
        target,
        ListShape.of((text for _, text in chain(some, everybody)), sample),
        options,
        on_list=index.on_list,
        beside=[text for _, text in some],
        cache=behind,
        progress=progress,
    )
    numbers = np.empty((3, len(index.last)))
    flags = np.empty(len(index.last), dtype=np.int32)
    words: dict[tuple[str, ...], int] = {}
    left = islice(index.spellings(), block, None)
    while some:
        texts = [text for _, text in some]
        judged = judge_block(
            bundle,
            target,
            texts,
            null,
            selected_on=selected_on(texts),
            cache=behind,
            progress=progress,
        )
        people = [person for person, _ in some]
        numbers[:, people] = [
            [one.score for one in judged],
            [one.p_decoy for one in judged],
            [one.p_gibberish for one in judged],
        ]
        flags[people] = [words.setdefault(one.flags, len(words)) for one in judged]
        del judged, texts, people  # or the next block would lie in memory beside them
        behind, some = cache, list(islice(left, block))
    levels, place, counts = np.unique(numbers[1], return_inverse=True, return_counts=True)
    q = q_values(dict(zip(levels.tolist(), counts.tolist(), strict=True)), options.dependence)
    return ListVerdicts(
        null=null,
        score=numbers[0],
        p_decoy=numbers[1],
        p_gibberish=numbers[2],
        q_value=np.array([q[level] for level in levels.tolist()])[place],
        flags=flags,
        words=tuple(" ".join(some) for some in words),
        operating_point=bundle.operating_point,
    )


def _batches(file: SubjectFile) -> Iterator[list[tuple[int, Mapping[str, str]]]]:
    left = file.rows()
    while some := list(islice(left, BATCH)):
        yield some


def _digest(text: str) -> tuple[int, int]:
    whole = hashlib.blake2b(text.encode(), digest_size=16, person=b"list index").digest()
    return int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")


def _indexed(
    file: SubjectFile,
    count: int,
    reasons: Mapping[int, str],
    rows: Numbers,
    first: NDArray[np.uint64],
    second: NDArray[np.uint64],
    spelling: NDArray[np.uint64],
) -> ListIndex:
    """Number the people by their digests."""
    people = np.full(count, REFUSED, dtype=np.int64)
    order = np.lexsort((rows, spelling, second, first))
    one, two, spelled = first[order], second[order], spelling[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    person = np.cumsum(new) - 1
    people[rows[order]] = person
    total = int(new.sum())
    last = np.zeros(total, dtype=np.int64)
    np.maximum.at(last, person, rows[order])
    several = np.zeros(total, dtype=bool)
    several[person[1:][~new[1:] & (spelled[1:] != spelled[:-1])]] = True
    return ListIndex(file, people, reasons, np.stack([one[new], two[new]]), last, several)

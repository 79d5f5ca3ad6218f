"""Verdicts for a file of subjects with a registered detector."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.machine.show import fields_of
from flows.pages.words import member_words
from flows.scoring.detector import Detector
from flows.scoring.estimate import ScoreEstimate, estimate_score
from flows.scoring.pictures import MEND, Cells, find_pictures, judge_pictures
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import RequestError, TextError
from tuni.files import check_outputs
from tuni.judging.judge import Judge
from tuni.judging.near import near_ranks
from tuni.judging.null import JudgeOptions, require_decoys
from tuni.judging.record import COLUMNS, NUMBERS, Record
from tuni.judging.whole_list import ListVerdicts, decoys_of, judge_list, reading_of, scorable
from tuni.lists.csv_rows import Wrong, stamp
from tuni.lists.files import SubjectFile, open_subjects
from tuni.lists.rows import ListIndex, read_list
from tuni.lists.writing import check_table, write_table
from tuni.statistics.list_evidence import ListEvidence
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE
from tuni.statistics.spelling import PAIRED, pairing_p
from tuni.texts.arrangement import Arrangement

PICTURE_COLUMNS = (
    "pictures", "score_pictures", "name_rank", "picture_rank", "p_pictures", "verdict_pictures",
)  # fmt: skip
NEAR_RANK = "near_rank"  # of kinds of text that have near misses
PSEUDONYM = "pseudonym"  # in the place of ``text`` where the output names nobody


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What `tuni score` was asked.

    Attributes:
        checkpoint: Name of the registered checkpoint.
        subjects: CSV, Parquet or JSON Lines, by its suffix, with a column ``text``.
        out: Where the verdicts go, likewise.
        version: Alias or version number of the detector.
        folder: Checkpoint folder; None takes the setting, then the one that the ledger knows.
        list_decoys: Also rank each text among decoys of the list's own parts.
        decoys: How many of those; None is the default of `JudgeOptions`.
        dependence: Correction behind the q-values.
        skip_bad: Write rows that cannot be scored with the reason.
        pseudonymous: Write a keyed pseudonym in the place of each text, and no other column.
        device: Torch device; None takes the setting.
        pictures: Folder of pictures of the subjects, or None; see `tuni.pictures.subjects`.
        names: How the list arranges names.
    """

    checkpoint: str
    subjects: Path
    out: Path
    version: str = "champion"
    folder: Path | None = None
    list_decoys: bool = True
    decoys: int | None = None
    dependence: Literal["bh", "by"] = "bh"
    skip_bad: bool = False
    pseudonymous: bool = False
    device: str | None = None
    pictures: Path | None = None
    names: Arrangement = "first-last"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that we add, ``text`` first."""
        return (*COLUMNS, *(PICTURE_COLUMNS if self.pictures else ()))


@dataclass(frozen=True, slots=True)
class ScoreOutcome:
    """What came out.

    Attributes:
        out: The verdicts' file.
        model: Registered model.
        version: Its version.
        fingerprint: Of the audited checkpoint.
        verdicts: How many rows got which verdict.
        operating_point: p at or below which a text gets a finding.
        list_decoys: Decoys recombined from the list; 0 where they were turned off.
        smallest_findable: Members that the list must hold for any q to fall to .05.
        withheld: Why no verdict is given, or None.
        refused: Rows that could not be scored.
        columns_left_out: Columns of the input that a pseudonymous output leaves out.
        measured_power: Share of known members found, and on how many; or None.
        list_evidence: About the list as a whole; None where verdicts are withheld.
        with_pictures: People judged with pictures too; None where no pictures were given.
        pictures_left_out: Pictures that could not be read, or belong to nobody on the list.
        pairing_p: Of the list's first and last parts being paired at random; None where they are
            too few to tell.
        differs: How texts differ that a finding cannot tell apart; empty for names.
    """

    out: Path
    model: str
    version: int
    fingerprint: str
    verdicts: Mapping[str, int]
    operating_point: float
    list_decoys: int
    smallest_findable: int
    withheld: str | None
    refused: int
    columns_left_out: int
    measured_power: str | None
    list_evidence: ListEvidence | None
    with_pictures: int | None = None
    pictures_left_out: int = 0
    pairing_p: float | None = None
    differs: str = ""

    @property
    def texts(self) -> int:
        """Rows that were scored."""
        return sum(self.verdicts.values())

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; holds no text of the list."""
        return fields_of(self, texts=self.texts)

    def text(self) -> str:
        """A few lines for people."""
        counts, point, total = self.verdicts, self.operating_point, self.texts
        lines = [f"{self.out}: {total} texts, detector {self.model} version {self.version}"]
        if self.withheld:
            lines.append(f"  verdicts withheld: {self.withheld}")
        else:
            found = counts.get(EVIDENCE, 0)
            lines += [
                f"  {EVIDENCE}: {found}",
                f"  {NO_EVIDENCE}: {counts.get(NO_EVIDENCE, 0)}",
                f"  at p <= {point:g}: were none of them in the training data, about "
                f"{point * total:.0f} would get the first verdict by chance",
                "  known members found at this point: "
                f"{self.measured_power or 'not measured (no labels)'}",
                "  q-values can only single anyone out where at least "
                f"{self.smallest_findable} texts, members or not, have the smallest p",
                *(f"  {line}" for line in member_words(self.list_evidence)),
            ]
        if self.pairing_p is not None and self.pairing_p <= PAIRED:
            lines.append(
                "  first and last names go together in this list, as in one of several cultures "
                f"(p = {self.pairing_p:.3g}); its decoys pair them anew, so strangers may be "
                "accused more often: score each culture on its own"
            )
        if not self.list_decoys:
            lines.append("  list decoys were turned off: strangers may be accused more often")
        if self.refused:
            lines.append(f"  not scored: {self.refused} rows, reasons in the column error")
        if self.columns_left_out:
            lines.append(
                f"  left out: {self.columns_left_out} other columns of the input, which could name "
                "people"
            )
        if self.with_pictures is not None:
            lines.append(
                f"  with pictures: {self.with_pictures} people, columns "
                f"{', '.join(PICTURE_COLUMNS)}; there read these instead of the text's verdict, "
                "never the better of the two; they hold as far as our lists know culture and "
                "gender of the names"
            )
        if self.pictures_left_out:
            lines.append(f"  pictures left out: {self.pictures_left_out}")
        if self.differs:
            lines.append(
                f"  a finding means this text or one that differs {self.differs}: see {NEAR_RANK}"
            )
        lines.append(
            "  A verdict is about the text, not the person: a namesake makes a name known."
        )
        return "\n".join(lines)


def score_file(
    request: ScoreRequest, settings: Settings, tell: Callable[[ScoreEstimate], None] | None = None
) -> ScoreOutcome:
    """Score a file with a registered detector and write the verdicts in the file's order.

    Args:
        request: What is asked.
        settings: Of this machine.
        tell: Is told what it will cost before the work begins; None spares the warm-up.

    Raises:
        TextError: A row cannot be scored and ``skip_bad`` is off; nothing is written.
        ModelNotFound: There is no such detector.
        CheckpointError: The audited checkpoint is not found or cannot be loaded.
        FingerprintMismatch: The checkpoint given is not the detector's.
    """
    check_out(request)
    asked = {
        "checkpoint": request.folder or settings.checkpoint,
        "device": request.device or settings.device,
    }
    with open_ledger(settings) as ledger:
        detector = Detector.open(
            ledger, settings.model_copy(update=asked), request.checkpoint, request.version
        )
        reading = reading_of(detector.bundle, request.names)
        file = open_subjects(request.subjects, reading.kind.fields)
        index = _accepted(request, lambda wrong: read_list(file, wrong, reading))
        pictures = find_pictures(request, file)
        version = detector.version.version
        options = JudgeOptions(request.list_decoys, request.decoys, request.dependence)
        require_decoys(detector.bundle, options)
        cache = EncryptedFeatureCache(ledger)
        judge = detector.judge(cache)
        index = _accepted(request, lambda wrong: scorable(judge, index, wrong))
        if not index.scored:
            raise TextError(
                f"{request.subjects.name}: no row can be scored, all {len(index.reasons)} are "
                "refused",
                "leave --skip-bad out to see why",
            )
        decoys = decoys_of(judge, index, options)
        if tell is not None:
            tell(estimate_score(judge, index, decoys, cache))
        verdicts = judge_list(
            judge,
            index,
            options,
            decoys=decoys,
            model_version=str(version),
            selected_on=partial(ledger.selected_on, request.checkpoint, version),
        )
        pictured = judge_pictures(judge, verdicts, decoys, pictures) if pictures else {}
        Trail(ledger).append(
            "list scored", checkpoint=request.checkpoint, version=version, texts=index.scored
        )
        ranks = _near_ranks(judge, verdicts)
        ours = (*request.columns, *((NEAR_RANK,) if judge.kind.differs else ()))
        left_out = _write(request, file, ours, _rows(verdicts, pictured, ranks), ledger)
    return ScoreOutcome(
        out=request.out,
        model=request.checkpoint,
        version=version,
        fingerprint=judge.bundle.fingerprint,
        verdicts=verdicts.counts(),
        operating_point=judge.bundle.operating_point,
        list_decoys=verdicts.null.decoys,
        smallest_findable=verdicts.null.smallest_findable,
        withheld=verdicts.null.withheld,
        refused=len(index.reasons),
        columns_left_out=left_out,
        measured_power=verdicts.grounds.measured_power,
        list_evidence=verdicts.evidence(judge.bundle),
        with_pictures=len(pictured) if pictures else None,
        pictures_left_out=pictures.left_out if pictures else 0,
        differs=judge.kind.differs,
        pairing_p=pairing_p(decoys.shape.pair_sample, judge.kind, judge.bundle.seed),
    )


def _accepted(request: ScoreRequest, read: Callable[[Wrong], ListIndex]) -> ListIndex:
    """A list whose bad rows are refused, or left out where that was asked.

    Raises:
        TextError: There are bad rows and ``skip_bad`` is off.
    """
    wrong = Wrong(request.subjects.name, MEND)
    index = read(wrong)
    if not request.skip_bad:
        wrong.refuse()
    return index


def check_out(request: ScoreRequest) -> None:
    """Refuse a list that is not there and an output that could not be written, before any work."""
    check_outputs(out=request.out)
    check_table(request.out)
    stamp(request.subjects)
    if request.out.resolve() == request.subjects.resolve():
        raise RequestError("--out: is the file of --subjects", "name another file")


def _write(
    request: ScoreRequest,
    file: SubjectFile,
    ours: Sequence[str],
    rows: Iterator[tuple[Mapping[str, Any], Record]],  # Any: cells
    ledger: Ledger,
) -> int:
    """Write the verdicts; how many columns of the input a pseudonymous output leaves out."""
    columns = passed_columns(file, ours)
    if request.pseudonymous:
        named = (_named(row, ledger) for _, row in rows)
        write_table(request.out, [PSEUDONYM, *ours[1:]], named, _types(file, {}))
        return len(columns)
    whole = (
        {**{new: cells.get(old) for old, new in columns.items()}, **row} for cells, row in rows
    )
    write_table(request.out, ["text", *columns.values(), *ours[1:]], whole, _types(file, columns))
    return 0


def passed_columns(file: SubjectFile, ours: Sequence[str]) -> dict[str, str]:
    """The input's other columns than ``text`` and the names that they get beside ours."""
    taken = {*ours, *file.columns}
    passed = {}
    for name in file.columns:
        if name == "text":
            continue
        new = name
        if name in ours:
            new = f"{name}_input"
            while new in taken:
                new += "_input"
            taken.add(new)
        passed[name] = new
    return passed


def _types(file: SubjectFile, columns: Mapping[str, str]) -> dict[str, Any]:  # Any: Arrow's types
    """Arrow types of the output's columns, for Parquet; the others are strings."""
    import pyarrow as pa

    known = {} if file.types is None else {new: file.types[old] for old, new in columns.items()}
    numbers = (*NUMBERS, "score_pictures", "p_pictures")
    return known | dict.fromkeys(numbers, pa.float64())


def _rows(
    verdicts: ListVerdicts, pictured: Mapping[int, Cells], ranks: Mapping[int, str]
) -> Iterator[tuple[Mapping[str, Any], Record]]:  # Any: cells
    """Each row of the input, and our columns beside it."""
    for person, (cells, record) in zip(
        verdicts.index.people.tolist(), verdicts.rows(), strict=True
    ):
        yield cells, {**record, **pictured.get(person, {}), NEAR_RANK: ranks.get(person)}


def _near_ranks(judge: Judge, verdicts: ListVerdicts) -> dict[int, str]:
    """By person with a finding, the text's rank among its near misses, as ``"1 of 7"``."""
    group, texts = verdicts.null.pair, verdicts.index.texts
    if group is None or not judge.kind.differs or verdicts.null.withheld:
        return {}
    found = [
        person
        for person in np.flatnonzero(verdicts.p_decoy <= judge.bundle.operating_point).tolist()
        if judge.kind.has_parts(texts[person]) and judge.kind.near(texts[person])
    ]
    if not found:
        return {}
    ranks = near_ranks(judge, [texts[person] for person in found], group.correction)
    return {
        person: f"{rank} of {1 + len(judge.kind.near(texts[person]))}"
        for person, rank in zip(found, ranks, strict=True)
    }


def _named(row: Record, ledger: Ledger) -> Record:
    """The row with a pseudonym for its text; none for what is no subject's text."""
    text = row.pop("text")
    return row if "error" in row else {PSEUDONYM: ledger.keys.pseudonym(text), **row}

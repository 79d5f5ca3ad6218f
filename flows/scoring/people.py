"""Verdicts for a file whose rows hold several fields about one person."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.machine.home import open_ledger
from flows.machine.kinds import detector_name
from flows.machine.settings import Settings
from flows.machine.show import fields_of
from flows.scoring.detector import Detector
from flows.scoring.pictures import MEND
from flows.scoring.score import ScoreRequest, check_out, passed_columns
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import RequestError, TextError
from tuni.judging.fits import Repeats
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.people import PeopleVerdicts, judge_people, scored_kinds, text_of
from tuni.judging.whole_list import reading_of
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import SubjectFile, open_subjects
from tuni.lists.people import Fields, read_people
from tuni.lists.writing import write_table
from tuni.statistics.p_values import EVIDENCE, WITHHELD, verdict_words
from tuni.texts.kind import FIELDS, text_kind
from tuni.texts.text import canonical


@dataclass(frozen=True, slots=True)
class PeopleOutcome:
    """What came out.

    Attributes:
        out: The verdicts' file.
        detectors: Version of each registered detector, by name.
        verdicts: How many rows got which verdict.
        operating_point: p at or below which a row gets a finding.
        decoy_rows: Decoy rows of names beside fields.
        forms: How many ways to write a text are asked, by kind.
        differs: How texts differ that a finding cannot tell apart, by field.
        withheld: Why no verdict is given, or None.
        refused: Rows that could not be scored.
    """

    out: Path
    detectors: Mapping[str, int]
    verdicts: Mapping[str, int]
    operating_point: float
    decoy_rows: int
    forms: Mapping[str, int]
    differs: Mapping[str, str]
    withheld: str | None
    refused: int

    @property
    def rows(self) -> int:
        """Rows that were scored."""
        return sum(self.verdicts.values())

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; holds no text of the list."""
        return fields_of(self, rows=self.rows)

    def text(self) -> str:
        """A few lines for people."""
        told = ", ".join(f"{name} version {version}" for name, version in self.detectors.items())
        lines = [f"{self.out}: {self.rows} rows, detectors {told}"]
        if self.withheld:
            lines.append(f"  verdicts withheld: {self.withheld}")
        else:
            lines += [f"  {word}: {count}" for word, count in self.verdicts.items()]
            lines.append(
                f"  at p <= {self.operating_point:g}: were none of them in the training data, "
                f"about {self.operating_point * self.rows:.0f} would get a finding by chance"
            )
        several = {kind: count for kind, count in self.forms.items() if count > 1}
        if several:
            ways = ", ".join(f"{kind} in {count}" for kind, count in several.items())
            lines.append(
                f"  ways to write a text that were asked, the largest score counts: {ways}"
            )
        lines += [
            f"  a finding means this {field} or one that differs {how}: see near_rank"
            for field, how in self.differs.items()
        ]
        if self.refused:
            lines.append(f"  not scored: {self.refused} rows, reasons in the column error")
        lines.append("  A verdict is about the texts, not the person: namesakes make them known.")
        return "\n".join(lines)


def score_people(request: ScoreRequest, fields: Sequence[str], settings: Settings) -> PeopleOutcome:
    """Score a file of rows with several fields and write a verdict for each row.

    Args:
        request: What is asked; pictures and pseudonyms are for lists of names.
        fields: Columns about one person, two or more of `FIELDS`.
        settings: Of this machine.

    Raises:
        RequestError: Fields that cannot be, or what such lists cannot have.
        TextError: A row cannot be scored and ``skip_bad`` is off; nothing is written.
        ModelNotFound: A kind has no detector.
    """
    check_out(request)
    _check(request, fields)
    asked = {
        "checkpoint": request.folder or settings.checkpoint,
        "device": request.device or settings.device,
    }
    file = open_subjects(request.subjects, fields)
    with ExitStack() as opened:
        ledger = opened.enter_context(open_ledger(settings))
        detectors = {
            kind: Detector.open(
                ledger,
                settings.model_copy(update=asked),
                detector_name(request.checkpoint, kind),
                request.version,
            )
            for kind in scored_kinds(fields)
        }
        judges = _judges(detectors, ledger)
        rows, reasons = _rows(request, file, fields, judges)
        scored = [row for place, row in enumerate(rows) if place not in reasons]
        options = JudgeOptions(request.list_decoys, request.decoys, request.dependence)
        verdicts = judge_people(judges, scored, options)
        for detector in detectors.values():
            version = detector.version
            Trail(ledger).append(
                "list scored",
                checkpoint=version.name, version=version.version, texts=len(scored),
            )  # fmt: skip
        point = next(iter(judges.values())).bundle.operating_point
        withheld = (
            f"decoys can be told from the list by their spelling: {', '.join(verdicts.withheld)}"
            if verdicts.withheld
            else None
        )
        records = list(_records(verdicts, judges, reasons, len(rows)))
        _write(request, file, list(judges), records)
    counts: dict[str, int] = {}
    for record in records:
        if "error" not in record:
            counts[record["verdict"]] = counts.get(record["verdict"], 0) + 1
    return PeopleOutcome(
        out=request.out,
        detectors={one.version.name: one.version.version for one in detectors.values()},
        verdicts=dict(sorted(counts.items())),
        operating_point=point,
        decoy_rows=verdicts.decoys,
        forms={kind: _forms(kind, scored) for kind in judges},
        differs={field: how for field in fields if (how := text_kind(field).differs)},
        withheld=withheld,
        refused=len(reasons),
    )


def _check(request: ScoreRequest, fields: Sequence[str]) -> None:
    if wrong := [field for field in fields if field not in FIELDS]:
        raise RequestError(
            f"--kind: got {wrong[0][:40]!r}, expected one of {', '.join(FIELDS)}", "name columns"
        )
    if len({*fields}) < len(fields):
        raise RequestError("--kind: names one twice", "name each column once")
    if request.pictures is not None or request.pseudonymous:
        raise RequestError(
            "--pictures, --pseudonymous: are for lists of one kind of text",
            "leave them out, or score a list of names",
        )


def _judges(detectors: Mapping[str, Detector], ledger: Ledger) -> dict[str, Judge]:
    """A judge for each kind, all with the checkpoint that is loaded once.

    Raises:
        FingerprintMismatch: The detectors were made for several checkpoints.
    """
    cache, target = EncryptedFeatureCache(ledger), next(iter(detectors.values())).target
    return {
        kind: Judge(one.bundle, target, cache if text_kind(kind).kept else None)
        for kind, one in detectors.items()
    }


def _rows(
    request: ScoreRequest,
    file: SubjectFile,
    fields: Sequence[str],
    judges: Mapping[str, Judge],
) -> tuple[list[Fields], dict[int, str]]:
    """Each row's fields in their one writing, and why rows cannot be scored.

    Raises:
        TextError: There are such rows and ``skip_bad`` is off, or no other rows.
    """
    wrong = Wrong(request.subjects.name, MEND)
    readings = {field: reading_of(judges[field].bundle) for field in fields}
    rows, places, reasons = read_people(file, readings, wrong)
    for kind, judge in judges.items():
        texts = {place: text_of(kind, row) for place, row in enumerate(rows)}
        some = [place for place, text in texts.items() if text and place not in reasons]
        for number, why in judge.unscorable([texts[place] for place in some]).items():
            reasons[some[number]] = f"{kind}: {why}"
            wrong.add(places[some[number]], reasons[some[number]], file.unit)
        # Other texts that are the same to this model; the same text in two rows is one person's.
        first = {canonical(texts[place]): place for place in reversed(some) if place not in reasons}
        distinct = [place for place in some if first.get(canonical(texts[place])) == place]
        repeats = Repeats(judge.target)
        for number, why in repeats.among([texts[place] for place in distinct]).items():
            reasons[distinct[number]] = f"{kind}: {why}"
            wrong.add(places[distinct[number]], reasons[distinct[number]], file.unit)
    if not request.skip_bad:
        wrong.refuse()
    if len(reasons) == len(rows):
        raise TextError(
            f"{request.subjects.name}: no row can be scored", "leave --skip-bad out to see why"
        )
    return rows, reasons


def _records(
    verdicts: PeopleVerdicts,
    judges: Mapping[str, Judge],
    reasons: Mapping[int, str],
    count: int,
) -> Iterator[dict[str, Any]]:  # Any: strings, floats and None
    left = iter(verdicts.rows)
    bundle = next(iter(judges.values())).bundle
    for place in range(count):
        if place in reasons:
            yield {"error": reasons[place]}
            continue
        judged = next(left)
        (word,) = verdict_words([judged.p], bundle.operating_point)
        said: dict[str, Any] = {
            "verdict": WITHHELD if verdicts.withheld else word,
            "verdict_of": " ".join(judged.kinds),
            "operating_point": bundle.operating_point,
            "fingerprint": bundle.fingerprint,
        }
        if not verdicts.withheld:
            said |= {"p": judged.p, "q_value": judged.q}
            said |= {f"p_{kind}": value for kind, value in judged.p_by_kind.items()}
            said["near_rank"] = judged.near_rank if word == EVIDENCE else ""
        yield said


def _write(
    request: ScoreRequest,
    file: SubjectFile,
    kinds: Sequence[str],
    records: Sequence[Mapping[str, Any]],  # Any: cells
) -> None:
    import pyarrow as pa

    numbers = ["p", "q_value", *(f"p_{kind}" for kind in kinds), "operating_point"]
    ours = ["p", "q_value", "verdict", "verdict_of", *numbers[2:-1], "near_rank",
            "operating_point", "fingerprint", "error"]  # fmt: skip
    columns = passed_columns(file, ours)
    whole = (
        {**{new: cells.get(old) for old, new in columns.items()}, **record}
        for (_, cells), record in zip(file.rows(), records, strict=True)
    )
    known = {} if file.types is None else {new: file.types[old] for old, new in columns.items()}
    write_table(request.out, [*columns.values(), *ours], whole,
                known | dict.fromkeys(numbers, pa.float64()))  # fmt: skip


def _forms(kind: str, rows: Sequence[Fields]) -> int:
    return max((len(text_kind(kind).forms(text)) for row in rows if (text := text_of(kind, row))),
               default=0)  # fmt: skip

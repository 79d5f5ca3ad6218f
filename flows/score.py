"""Verdicts for a file of subjects with a registered detector."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.console import current_progress
from flows.ledger import open_ledger
from flows.settings import Settings
from registry.feature_cache import EncryptedFeatureCache
from registry.ledger import Ledger
from registry.models import ModelStore
from tuni.audit import JudgeOptions, Verdicts, judge
from tuni.bundle import Bundle, read_bundle
from tuni.errors import CheckpointError, RequestError, TextError
from tuni.scorable import refuse, unscorable
from tuni.tables import Subjects, read_subjects, write_csv
from tuni.target import Target, load_target
from tuni.verdicts import EVIDENCE, NO_EVIDENCE

VERDICT_COLUMNS = (
    "text", "score", "p_decoy", "p_gibberish", "q_value", "verdict", "operating_point",
    "measured_power", "flags", "model_version", "fingerprint", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What `tuni score` was asked.

    Attributes:
        checkpoint: Name of the registered checkpoint.
        subjects: CSV with a column ``text``.
        out: Where the verdicts go.
        version: Alias or version number of the detector.
        folder: Checkpoint folder; None takes the setting, then the one that the ledger knows.
        list_decoys: Also rank each text among decoys of the list's own parts.
        decoys: How many of those; None is the default of `JudgeOptions`.
        dependence: Correction behind the q-values.
        skip_bad: Write rows that cannot be scored with the reason.
        device: Torch device.
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
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class ScoreOutcome:
    """What came out.

    Attributes:
        out: The verdicts' file.
        model: Registered model.
        version: Its version.
        verdicts: One per scored row.
        refused: Rows that could not be scored.
        power: Share of known members found at the operating point, and on how many; or None.
    """

    out: Path
    model: str
    version: int
    verdicts: Verdicts
    refused: int
    power: str | None

    @property
    def withheld(self) -> str | None:
        """Why no verdict is given, or None."""
        return self.verdicts.withheld

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object; holds no text of the list."""
        return {
            "out": str(self.out),
            "model": self.model,
            "version": self.version,
            "fingerprint": self.verdicts.fingerprint,
            "texts": len(self.verdicts.rows),
            "verdicts": self.verdicts.counts(),
            "refused": self.refused,
            "operating_point": self.verdicts.operating_point,
            "list_decoys": self.verdicts.decoys,
            "smallest_findable": self.verdicts.smallest_findable,
            "withheld": self.withheld,
            "measured_power": self.power,
        }

    def text(self) -> str:
        """A few lines for people."""
        counts = self.verdicts.counts()
        point = self.verdicts.operating_point
        total = len(self.verdicts.rows)
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
                f"  known members found at this point: {self.power or 'not measured (no labels)'}",
                f"  q-values can only single anyone out where the list holds at least "
                f"{self.verdicts.smallest_findable} members",
            ]
        if not self.verdicts.decoys:
            lines.append("  list decoys were turned off: strangers may be accused more often")
        if self.refused:
            lines.append(f"  not scored: {self.refused} rows, reasons in the column error")
        lines.append(
            "  A verdict is about the text, not the person: a namesake makes a name known."
        )
        return "\n".join(lines)


def score_file(request: ScoreRequest, settings: Settings) -> ScoreOutcome:
    """Score a file with a registered detector and write the verdicts in the file's order.

    Raises:
        TextError: A row cannot be scored and ``skip_bad`` is off; nothing is written.
        ModelNotFound: There is no such detector.
        CheckpointError: The audited checkpoint is not found or cannot be loaded.
        FingerprintMismatch: The checkpoint given is not the detector's.
    """
    _check_out(request)
    subjects = read_subjects(request.subjects, skip_bad=request.skip_bad)
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, settings.runs_uri, ledger, settings.trusted_keys)
        version = store.show(request.checkpoint, request.version)
        bundle = read_bundle(store.pull(request.checkpoint, version.version))
        target = find_target(bundle, request, settings, ledger)
        refused = dict(subjects.refused)
        rows = [row for row in range(len(subjects.rows)) if row not in refused]
        bad = unscorable(target, [subjects.texts[row] for row in rows], bundle)
        if bad and not request.skip_bad:
            refuse({subjects.lines[rows[place]]: why for place, why in bad.items()}, "line")
        refused |= {rows[place]: why for place, why in bad.items()}
        rows = [row for row in rows if row not in refused]
        if not rows:
            raise TextError(
                f"{request.subjects.name}: no row can be scored, all {len(refused)} are refused",
                "leave --skip-bad out to see why",
            )
        texts = [subjects.texts[row] for row in rows]
        verdicts = judge(
            bundle,
            target,
            texts,
            JudgeOptions(request.list_decoys, request.decoys, request.dependence),
            model_version=str(version.version),
            selected_on=ledger.selected_on(request.checkpoint, version.version, texts),
            cache=EncryptedFeatureCache(ledger),
            progress=current_progress.get(),
        )
    power = measured_power(bundle)
    _write(request.out, subjects, rows, verdicts, refused, power)
    return ScoreOutcome(
        request.out, request.checkpoint, version.version, verdicts, len(refused), power
    )


def _check_out(request: ScoreRequest) -> None:
    """Refuse an output that could not be written, before an hour is spent on it."""
    out = request.out.resolve()
    if not out.parent.is_dir():
        raise RequestError(f"--out: no folder {out.parent}", "make it, or name another file")
    if out.is_dir():
        raise RequestError(f"--out: {out} is a folder", "name a file")
    if out == request.subjects.resolve():
        raise RequestError("--out: is the file of --subjects", "name another file")


def find_target(
    bundle: Bundle, request: ScoreRequest, settings: Settings, ledger: Ledger
) -> Target:
    """The audited checkpoint: from the option, the setting, or where the ledger last saw it."""
    given = request.folder or settings.checkpoint
    source = {"folder": str(given)} if given else ledger.find_checkpoint(bundle.fingerprint)
    if source is None:
        raise CheckpointError(
            f"checkpoint: this home knows none with fingerprint {bundle.fingerprint[:12]}",
            "name its folder with --folder, or set TUNI_CHECKPOINT",
        )
    folder, weights = source.get("folder"), source.get("weights")
    return load_target(
        Path(folder) if folder else None,
        architecture=source.get("architecture"),
        weights=Path(weights) if weights else None,
        device=request.device,
        precision=bundle.feature_spec.precision,
    )


def measured_power(bundle: Bundle) -> str | None:
    """Share of known members that the detector found, in words, or None where unmeasured."""
    if bundle.evidence.get("withheld"):
        return "withheld: a gate failed"
    found = bundle.evidence.get("found")
    if not isinstance(found, Mapping) or not found.get("n"):
        return None
    return f"{found['hits']} of {found['n']} ({found['low']:.2f}-{found['high']:.2f})"


def _write(
    out: Path,
    subjects: Subjects,
    rows: list[int],
    verdicts: Verdicts,
    refused: Mapping[int, str],
    power: str | None,
) -> None:
    # A column of the input that bears one of our names keeps its content beside ours.
    taken = {*VERDICT_COLUMNS, *subjects.columns}
    passed = {name: name for name in subjects.columns if name not in VERDICT_COLUMNS}
    for name in subjects.columns:
        if name in VERDICT_COLUMNS[1:]:
            new = f"{name}_input"
            while new in taken:
                new += "_input"
            taken.add(new)
            passed[name] = new
    passed = {name: passed[name] for name in subjects.columns if name in passed}
    judged = dict(zip(rows, verdicts.records(), strict=True))
    lines = []
    for row, given in enumerate(subjects.rows):
        line: dict[str, object] = {"text": given["text"]}
        line |= {new: given[old] for old, new in passed.items()}
        if row in refused:
            line["error"] = refused[row]
        else:
            line |= {key: value for key, value in judged[row].items() if key != "text"}
            one_part = "one_part" in str(judged[row]["flags"]).split()
            line["measured_power"] = "not measured" if one_part or not power else power
        lines.append(line)
    write_csv(out, ["text", *passed.values(), *VERDICT_COLUMNS[1:]], lines)

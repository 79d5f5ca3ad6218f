"""What a job's report says, as plain facts, and the sentences that it opens with.

The one law: a fact is about texts, never about a person, and no number stands without its
interval or its count. Nothing here holds a text of a subject.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flows.pages.figures import percent
from tuni.statistics.intervals import Interval, Rate


@dataclass(frozen=True, slots=True)
class Power:
    """What was measured on labelled texts that neither the fit nor the search ever saw.

    Attributes:
        members: Labelled texts of the training set.
        nonmembers: Labelled texts that were not in it.
        auc: Chance that a member scores above a non-member.
        auc_interval: Its 95 % interval.
        found: Members with a verdict at the operating point, thresholds from decoys.
        accused: Non-members with a verdict at the operating point.
        found_at: Share of members found by share of non-members accused; None where the sample
            is too small to say.
        by_captions: Share found by label of a group of captions, fewest captions first.
        groups: Other texts that were not in it by name, e.g. hard negatives, decoys: share
            accused, and the chance that a member scores above one of them with its interval.
        agreement: Precision, recall and accuracy by name, as the paper gives them.
        looks: Jobs that have read these texts, this one included.
        optimism: By how much the AUC may flatter for that, were the best of them kept.
    """

    members: int
    nonmembers: int
    auc: float
    auc_interval: Interval
    found: Rate
    accused: Rate
    found_at: tuple[tuple[float, Rate | None], ...] = ()
    by_captions: tuple[tuple[str, Rate], ...] = ()
    groups: tuple[tuple[str, Rate, float, Interval], ...] = ()
    agreement: tuple[tuple[str, Rate], ...] = ()
    looks: int = 1
    optimism: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One detector of the search.

    Attributes:
        detector: What it is, in words.
        objective: What it reached, or None where it failed.
        role: Its part in the story.
    """

    detector: str
    objective: float | None
    role: Literal["chosen", "default", "paper", "other"] = "other"


@dataclass(frozen=True, slots=True)
class Search:
    """How the detector was chosen.

    Attributes:
        objective: What was maximised, in words.
        tried: Trials in all.
        trials: Those shown: the chosen one, the default, the paper's, the next best.
        reason: Why the chosen one was chosen, one sentence.
    """

    objective: str
    tried: int
    trials: tuple[Trial, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """One check that a detector has to pass before a claim is made from it.

    Attributes:
        name: Its name.
        passed: Whether it held; None where it could not be run.
        sentence: What was measured, with numbers.
    """

    name: str
    passed: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the page.

    Attributes:
        section: Where it stands.
        title: The finding.
        caption: Numbers of texts and how to read it.
        alt: What it shows, for a reader who can't see it.
        svg: SVG document, as `flows.pages.figures.render` gives it without title and caption.
    """

    section: Literal["power", "search"]
    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything on the page of a job.

    Attributes:
        checkpoint: Name of the audited model.
        fingerprint: SHA-256 of its weights and settings.
        written: Date of the page, as it shall stand there.
        detector: The chosen detector, in words.
        operating_point: p at or below which a text gets a verdict.
        asked: What was asked, label and value.
        power: Measured power, or None where there are too few labelled texts to measure it.
        unknown: Why power is unknown, one sentence, where it is.
        withheld: Why no claim is made, or None.
        version: Registered version, e.g. ``"3 (champion)"``, or None.
        search: How the detector was chosen, or None.
        gates: The checks.
        charts: The figures.
        evaluation: `Evaluation.to_dict` as others may read it, or None without labelled texts.
        kind: Tells this from what other pages say.
    """

    checkpoint: str
    fingerprint: str
    written: str
    detector: str
    operating_point: float
    asked: tuple[tuple[str, str], ...]
    power: Power | None = None
    unknown: str = "Power is unknown: no labelled texts were given."
    withheld: str | None = None
    version: str | None = None
    search: Search | None = None
    gates: tuple[Gate, ...] = ()
    charts: tuple[Chart, ...] = ()
    evaluation: Mapping[str, Any] | None = None  # Any: JSON values
    kind: Literal["job"] = "job"


def findings(facts: ReportFacts) -> tuple[str, ...]:
    """The page's opening: what was found, one plain sentence each, numbers with intervals."""
    power = facts.power
    if power is None:
        return (
            f"How often this detector finds a text that was in the training data is not known. "
            f"{facts.unknown} Its rate of false findings is set on made-up names alone.",
        )
    lines: list[str] = []
    if facts.withheld is None:
        lines.append(f"Of texts known to be in the training data, {_said(power.found)} were found.")
        weak = [(label, rate) for label, rate in power.by_captions if rate.value < 0.5]
        strong = [(label, rate) for label, rate in power.by_captions if rate.value >= 0.5]
        if weak:
            told = "; ".join(f"with {_captions(label)} {_said(rate)}" for label, rate in weak)
            lines.append(f"Texts with few captions mostly stay unseen: {told} were found.")
        if strong:
            label, rate = strong[-1]
            lines.append(f"Of texts with {_captions(label)}, {_said(rate)} were found.")
    lines.append(
        f"Of texts known not to be in the training data, {_said(power.accused)} got a "
        f"finding all the same; the detector was set to allow {percent(facts.operating_point)}."
    )
    return tuple(lines)


def _captions(label: str) -> str:
    return f"{label} caption{'' if label == '1' else 's'}"


def _said(rate: Rate) -> str:
    return (
        f"{percent(rate.value)} ({rate.hits:,} of {rate.n:,}; "
        f"95\u00a0% interval {percent(rate.low)} to {percent(rate.high)})"
    )

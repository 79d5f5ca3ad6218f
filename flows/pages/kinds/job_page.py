"""The page of a job, from its facts."""

from flows.pages.blocks import (
    Block,
    Cell,
    FactPage,
    FigureRow,
    PageFigure,
    PageSection,
    Pairs,
    Paragraph,
    Points,
    ReportKind,
    Subheading,
    Table,
)
from flows.pages.figures import percent
from flows.pages.kinds.job_facts import Gate, Power, ReportFacts, Search, findings
from tuni.statistics.intervals import Interval, Rate

_PARTS = {"chosen": "chosen", "default": "default (ours)", "paper": "the paper's", "other": ""}


def job_page(facts: ReportFacts) -> FactPage:
    """The page; what made it stands in the evidence beside the facts."""
    version = f"version {facts.version}" if facts.version else "not registered"
    sections = [
        PageSection("What this says, and what it does not", (_limits(facts),)),
        PageSection("What was asked", (_asked(facts),)),
        PageSection("How much the detector finds", (*_power(facts), *_figures(facts, "power"))),
    ]
    if facts.gates:
        sections.append(PageSection("Checks before any claim", (_gates(facts.gates),)))
    if facts.search:
        blocks = (*_search(facts.search), *_figures(facts, "search"))
        sections.append(PageSection("How the detector was chosen", blocks))
    return FactPage(
        kicker="Identity inference report",
        title=f"Were these names in the training data of {facts.checkpoint}?",
        meta=f"Written {facts.written} · detector {version} · model fingerprint "
        f"{facts.fingerprint[:16]}…",
        findings=findings(facts),
        sections=tuple(sections),
        notice=f"No claim is made about power. {facts.withheld}" if facts.withheld else None,
    )


def _limits(facts: ReportFacts) -> Points:
    power = (
        "It means that a detector which finds as much as the tables below say found nothing."
        if facts.power
        else "How much this detector finds is unknown."
    )
    return Points(
        (
            (
                "“Evidence consistent with training membership”",
                "means that the model treats this text more like texts it has learnt than all but "
                f"{percent(facts.operating_point)} of comparable made-up names. It is not proof.",
            ),
            (
                "“No evidence at this power”",
                f"does not mean that the text was not in the training data. {power}",
            ),
            (
                "A verdict is about the text, not the person.",
                "A namesake in the training data makes the name known to the model, and so does a "
                "famous bearer of it; the two cannot be told apart by text. Rows of names whose "
                "two parts are both common in their language carry the flag common_name: expect "
                "namesakes there. A name without the flag can have a namesake too.",
            ),
            (
                "It says nothing",
                "about which pictures or captions were used, where they came from, or whether "
                "using them was lawful.",
            ),
            (
                "It holds for this model alone:",
                "the fingerprint above. Other weights need another audit.",
            ),
        )
    )


def _asked(facts: ReportFacts) -> Pairs:
    point = (
        f"{percent(facts.operating_point)}: a text gets a finding where at most that share of "
        "comparable made-up names scores as high"
    )
    return Pairs((*facts.asked, ("Detector", facts.detector), ("Operating point", point)))


def _power(facts: ReportFacts) -> tuple[Block, ...]:
    power = facts.power
    if power is None:
        return (
            Paragraph(
                f"{facts.unknown} Give a file of people known to be in the training data or known "
                "not to be (subjects.labelled), at least 20 of each, to have it measured."
            ),
        )
    blocks: list[Block] = [
        Paragraph(
            f"Measured on {power.members:,} texts known to be in the training data (members) and "
            f"{power.nonmembers:,} known not to be (non-members), none of which took part in "
            "fitting or choosing the detector. Intervals are 95\u00a0% and hold the draw of the "
            "made-up names or of the non-members that a threshold comes from, but not the draw of "
            "those that the detector was fitted on."
        )
    ]
    if power.by_captions:
        found = Table(
            "Members found by number of captions",
            ("Captions", "Members found", "Interval", "Count"),
            tuple((label, *_rate(rate)) for label, rate in power.by_captions),
        )
        blocks += [Subheading("By number of training captions"), found]
    accused = Table(
        "False findings",
        (
            "Texts that were not in the data", "Got a finding", "Interval", "Count",
            "AUC of members against them",
        ),
        (
            ("Known non-members", *_rate(power.accused), _auc(power.auc, power.auc_interval)),
            *(
                (label, *_rate(rate), _auc(auc, interval))
                for label, rate, auc, interval in power.groups
            ),
        ),
    )  # fmt: skip
    low, high = power.auc_interval.low, power.auc_interval.high
    return (
        *blocks,
        Subheading("False findings"),
        accused,
        Subheading("At stricter and milder thresholds"),
        Paragraph(
            f"Area under the ROC curve: {power.auc:.3f} (interval {low:.3f} to {high:.3f}; 0.5 is "
            f"guessing, 1 is perfect).{_looks(power)}"
        ),
        _thresholds(power),
        Paragraph(
            "These thresholds are set on the non-members themselves, to compare detectors; where "
            "they are too few to say how strict a threshold is, the interval begins at 0. "
            f"Verdicts use the threshold from made-up names: it finds {percent(power.found.value)} "
            f"of the members (interval {_interval(power.found)}).",
            quiet=True,
        ),
        *_agreement(power),
    )


def _looks(power: Power) -> str:
    if power.looks == 1:
        return ""
    return (
        f" {power.looks:,} jobs have read these very texts. The best of them flatters by up to "
        f"{power.optimism:.3f}; only labels that no job has read measure it without that."
    )


def _thresholds(power: Power) -> Table:
    too_few = Cell(f"{power.nonmembers:,} non-members are too few to say", tone="quiet")
    return Table(
        "Members found at rates of false findings",
        ("Non-members accused, at most", "Members found", "Interval", "Count"),
        tuple(
            (percent(at), *(_rate(rate) if rate else (too_few, "", "")))
            for at, rate in power.found_at
        ),
    )


def _agreement(power: Power) -> tuple[Block, ...]:
    if not power.agreement:
        return ()
    told = (f"{name} {percent(r.value)} ({_interval(r)})" for name, r in power.agreement)
    return (Paragraph(f"At the verdict: {', '.join(told)}."),)


def _gates(gates: tuple[Gate, ...]) -> Table:
    held = {
        True: Cell("yes", tone="yes"),
        False: Cell("no", tone="no"),
        None: Cell("not run", tone="unknown"),
    }
    return Table(
        "Checks",
        ("Check", "Held", "What was measured"),
        tuple((gate.name, held[gate.passed], gate.sentence) for gate in gates),
        sentences=True,
    )


def _search(search: Search) -> tuple[Block, ...]:
    rows = tuple(
        (
            trial.detector,
            _PARTS[trial.role],
            "failed" if trial.objective is None else f"{trial.objective:.3f}",
        )
        for trial in search.trials
    )
    roles = [trial.role for trial in search.trials]
    return (
        Paragraph(
            f"{search.tried:,} detectors were tried; the search maximised {search.objective}. "
            f"{search.reason}"
        ),
        Table(
            "Detectors tried",
            ("Detector", "Part", "Objective"),
            rows,
            chosen=roles.index("chosen") if "chosen" in roles else None,
        ),
        Paragraph(
            "The objective chooses; it does not judge. The best of many trials is partly lucky, so "
            "its power is measured on other texts, in the section on how much it finds.",
            quiet=True,
        ),
    )


def _figures(facts: ReportFacts, section: str) -> tuple[Block, ...]:
    shown = tuple(
        PageFigure(chart.title, chart.caption, chart.alt, chart.svg)
        for chart in facts.charts
        if chart.section == section
    )
    return (FigureRow(shown),) if shown else ()


def _rate(rate: Rate) -> tuple[str, str, str]:
    return percent(rate.value), _interval(rate), f"{rate.hits:,} of {rate.n:,}"


def _interval(rate: Rate) -> str:
    return f"{percent(rate.low)} to {percent(rate.high)}"


def _auc(auc: float, interval: Interval) -> str:
    return f"{auc:.3f} ({interval.low:.3f} to {interval.high:.3f})"


REPORT = ReportKind(ReportFacts, job_page)

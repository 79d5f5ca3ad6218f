"""The page of a comparison, from its facts, and the changes as a picture."""

import numpy as np
from matplotlib.axes import Axes

from flows.pages.blocks import (
    FactPage,
    FigureRow,
    PageFigure,
    PageSection,
    Paragraph,
    ReportKind,
    Table,
)
from flows.pages.figures import BLUE, GREY, percent, render
from flows.pages.kinds.comparison_facts import FEW_PARTS, GATE_LEVEL, ChangeTable, ComparisonFacts
from tuni.statistics.suppression import HIDDEN, told_words


def comparison_page(facts: ComparisonFacts) -> FactPage:
    """The page; what made it stands in the evidence beside the facts."""
    first, second, point = facts.first, facts.second, percent(facts.operating_point)
    table = PageSection(
        "The people of the list",
        (
            Paragraph(
                f"At p at most {point}, were nobody known more or less than before, about "
                f"{facts.by_chance} by chance would stand in each line of the first column."
            ),
            Table(
                "Subjects known more or less",
                ("Known by the second", "Changed", "Singled out over the list"),
                (
                    ("more", told_words(facts.more), told_words(facts.more_singled_out)),
                    ("less", told_words(facts.less), told_words(facts.less_singled_out)),
                ),
            ),
        ),
    )
    sides = PageSection(
        "What was compared",
        (
            Table(
                "The two audits",
                ("What", "First", "Second"),
                (
                    ("Audit", first.audit, second.audit),
                    ("Checkpoint", first.checkpoint, second.checkpoint),
                    ("Fingerprint", first.fingerprint[:16], second.fingerprint[:16]),
                    ("Detector", f"version {first.version}", f"version {second.version}"),
                    ("Watch list", first.watchlist, second.watchlist),
                ),
            ),
        ),
    )
    changes = () if facts.changes is None else (_changes(facts, facts.changes),)
    return FactPage(
        kicker="Comparison of two audits",
        title=f"Is the list “{first.watchlist}” known more or less than before?",
        meta=f"Audits {first.audit} and {second.audit} · {facts.subjects:,} subjects in both",
        findings=comparison_findings(facts),
        sections=(table, *changes, sides),
    )


def comparison_findings(facts: ComparisonFacts) -> tuple[str, ...]:
    """The comparison in sentences."""
    whole = "No change of the list as a whole was found"
    if min(facts.list_more, facts.list_less) <= GATE_LEVEL:
        way = "more" if facts.list_more <= facts.list_less else "less"
        whole = f"As a whole the list is known {way} by the second than by the first"
    moved = (
        "How many findings appeared and vanished is not told, it would tell of fewer than five "
        "people."
        if HIDDEN in (facts.appeared, facts.vanished)
        else f"Findings that appeared: {told_words(facts.appeared)}; that vanished: "
        f"{told_words(facts.vanished)}."
    )
    notes: tuple[str, ...] = ()
    if facts.differing:
        notes = (
            f"The detectors differ in {', '.join(facts.differing)}: a change may be theirs, not "
            "the checkpoint's.",
        )
    if not facts.own_parts:
        notes += (f"{FEW_PARTS[0].upper()}{FEW_PARTS[1:]}.",)
    return (
        f"{whole}: p = {facts.list_more:.3g} for being known more, {facts.list_less:.3g} for being "
        f"known less, against decoys that both detectors scored (at most {GATE_LEVEL:g} counts).",
        f"{moved} A finding near the threshold comes and goes by chance; the changes below are "
        "tested.",
        "A change is about texts, not people, and it says nothing about why.",
        *notes,
    )


def draw_changes(table: ChangeTable, axes: Axes) -> None:
    """Draw the decoys' changes as a grey area and the subjects' as steps."""
    edges = np.array(table.edges)
    subjects = np.array([np.nan if share is None else share for share in table.subjects])
    axes.stairs(table.decoys, edges, fill=True, color=GREY, alpha=0.35, label="decoys")
    axes.stairs(subjects, edges, color=BLUE, linewidth=1.6, label="subjects")
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8.5)
    axes.set_xlabel("change (right: known more by the second)")
    axes.set_ylabel("share")
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def _changes(facts: ComparisonFacts, table: ChangeTable) -> PageSection:
    first, second = facts.first, facts.second
    return PageSection(
        "All changes",
        (
            Paragraph("Decoys are unknown to both: how far they spread is what chance does."),
            FigureRow(
                (
                    PageFigure(
                        f"Changes from {first.checkpoint} v{first.version} to "
                        f"{second.checkpoint} v{second.version}",
                        f"{facts.subjects:,} subjects and {facts.decoys:,} decoys; normal scores "
                        "among each detector's calibration decoys. Bins of one to four people are "
                        "left open.",
                        "Histogram of the changes of subjects over that of decoys.",
                        render(draw_changes, table),
                    ),
                )
            ),
        ),
    )


REPORT = ReportKind(ComparisonFacts, comparison_page)

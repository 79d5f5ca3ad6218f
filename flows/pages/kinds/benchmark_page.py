"""The page of a benchmark: which method finds whom, at which price, on testbeds of known truth."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from flows.pages.blocks import (
    Cell,
    FactPage,
    FigureRow,
    PageFigure,
    PageSection,
    Paragraph,
    ReportKind,
    Subheading,
    Table,
)
from flows.pages.figures import BLUE, GREY, VERMILLION, render
from flows.pages.kinds.benchmark_facts import (
    TIES,
    BenchmarkFacts,
    Figures,
    Lead,
    by_testbed,
    findings,
    people_in,
    title_of,
)
from tuni.statistics.intervals import Interval, Rate
from tuni.visible import visible

_COLOURS = {"short": BLUE, "described": VERMILLION}
_MARKS = "os^DvP"  # a seed each


def benchmark_page(facts: BenchmarkFacts) -> FactPage:
    """The page; what made it stands in the evidence beside the facts."""
    beds = by_testbed(facts.figures)
    methods = {one.method: one for one in facts.figures}
    sections = [_side_by_side(facts.figures)]
    sections += [_testbed(seed, captions, rows) for (seed, captions), rows in beds.items()]
    rules = Table(
        "Methods, their sources and rules",
        ("Method", "Source", "Accuses by"),
        tuple((one.title, one.source, one.rule) for one in methods.values()),
        sentences=True,
    )
    sections.append(PageSection("The methods and their own rules", (rules,)))
    count = f"{len(beds)} testbed{'s' if len(beds) > 1 else ''}"
    return FactPage(
        kicker="Benchmark",
        title="Which method finds whom, and whom does it accuse?",
        meta=f"{count} · {len(methods)} methods · {facts.pictures} pictures a person",
        findings=(
            *findings(facts.figures),
            "All testbeds are small CLIPs of drawn people; nothing here was measured on a "
            "web-scale CLIP.",
        ),
        sections=tuple(sections),
    )


@dataclass(frozen=True, slots=True)
class AucTable:
    """AUC by method and testbed.

    Attributes:
        methods: Titles, best first.
        testbeds: Seed and caption regime of each.
        values: AUC and interval by testbed, then by method; None where it was not measured.
    """

    methods: tuple[str, ...]
    testbeds: tuple[tuple[int, str], ...]
    values: tuple[tuple[tuple[float, Interval] | None, ...], ...]


def auc_table(figures: Sequence[Figures]) -> AucTable:
    """Every method on every testbed, methods by their mean AUC."""
    beds = by_testbed(figures)
    found: dict[str, list[float]] = {}
    for one in figures:
        found.setdefault(one.title, []).append(one.auc)
    methods = tuple(sorted(found, key=lambda title: -sum(found[title]) / len(found[title])))
    values = []
    for rows in beds.values():
        known = {one.title: (one.auc, one.auc_interval) for one in rows}
        values.append(tuple(known.get(title) for title in methods))
    return AucTable(methods, tuple(beds), tuple(values))


def draw_aucs(table: AucTable, axes: Axes) -> None:
    """Draw a point with its interval for each method, testbeds below each other.

    The marker tells the seed, the colour the caption regime.
    """
    step = 0.7 / max(len(table.testbeds), 1)
    seeds = list(dict.fromkeys(seed for seed, _ in table.testbeds))
    for bed, ((seed, captions), values) in enumerate(
        zip(table.testbeds, table.values, strict=True)
    ):
        shown = [(row, *value) for row, value in enumerate(values) if value is not None]
        axes.errorbar(
            [auc for _, auc, _ in shown],
            [row + (bed - (len(table.testbeds) - 1) / 2) * step for row, _, _ in shown],
            xerr=[
                [auc - interval.low for _, auc, interval in shown],
                [interval.high - auc for _, auc, interval in shown],
            ],
            fmt=_MARKS[seeds.index(seed) % len(_MARKS)], color=_COLOURS[captions],
            markersize=4, linewidth=1.2, label=f"seed {seed}, {captions}",
        )  # fmt: skip
    axes.axvline(0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(table.methods)), [visible(title) for title in table.methods])
    axes.set_ylim(len(table.methods) - 0.4, -0.6)
    axes.set_xlabel("AUC (0.5: guessing)")
    axes.grid(axis="x")
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))


def _side_by_side(figures: Sequence[Figures]) -> PageSection:
    table = auc_table(figures)
    height = 1.6 + len(table.methods) * max(0.22, 0.08 * len(table.testbeds))
    figure = PageFigure(
        "How well each method tells members from strangers",
        "AUC with its 95 % interval by method and testbed; the further right, the better. Methods "
        "that need pictures of the person know more than those that need a name alone.",
        "Points with intervals: the AUC of every method on every testbed; the tables below hold "
        "the numbers",
        render(draw_aucs, table, size=(4.9, height)),
    )
    return PageSection("Side by side", (FigureRow((figure,)),))


def _testbed(seed: int, captions: str, rows: Sequence[Figures]) -> PageSection:
    return PageSection(
        f"Seed {seed}, {captions} captions",
        (
            Paragraph(
                f"{people_in(rows)} Below each figure stands its 95\u00a0% interval. H is our "
                "detector."
            ),
            Subheading("At the same rate of strangers"),
            Table(
                f"Power of the methods, seed {seed}, {captions} captions",
                (
                    "Method", "AUC", "Found at 5 % of strangers", "Found at 1 %", "H ahead by AUC",
                    "H ahead by found at 5 %", "H with pictures ahead by AUC",
                ),
                tuple(
                    (
                        title_of(one),
                        _value(one.auc, one.auc_interval),
                        *(_rate(rate) for _at, rate in one.tpr),
                        *(
                            _lead(lead)
                            for lead in (one.lead_auc, one.lead_tpr_5, one.lead_pictured)
                        ),
                    )
                    for one in rows
                ),
                chosen=next((n for n, one in enumerate(rows) if one.lead_auc is None), None),
            ),
            Paragraph(
                "“Ahead” is ours less the method, by a paired bootstrap over the people that it "
                "was asked about: where the whole interval is above 0, ours is better; where it "
                f"is below, the method is. {TIES}",
                quiet=True,
            ),
            Subheading("By its own rule, and what it needs"),
            Paragraph(
                "Intervals in this table are of the people alone: the thresholds are those that "
                "were drawn once.",
                quiet=True,
            ),
            Table(
                f"Own rules and needs of the methods, seed {seed}, {captions} captions",
                (
                    "Method", "Members found", "Strangers accused", "Hard negatives accused",
                    "CPU seconds a subject", "Pictures", "Known non-members", "Shadow models",
                ),
                tuple(
                    (
                        title_of(one),
                        _rate(one.members_found),
                        _rate(one.strangers_accused),
                        _rate(one.hard_accused),
                        f"{one.seconds:.3f}",
                        str(one.pictures),
                        "needed" if one.known_nonmembers else "no",
                        str(one.shadow_models),
                    )
                    for one in rows
                ),
                chosen=next((n for n, one in enumerate(rows) if one.lead_auc is None), None),
            ),
        ),
    )  # fmt: skip


def _value(value: float, interval: Interval) -> Cell:
    return Cell(f"{value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}")


def _rate(rate: Rate | None) -> Cell:
    if rate is None:
        return Cell("too few to say", tone="quiet")
    return Cell(f"{rate.value:.2f}", f"{rate.low:.2f} to {rate.high:.2f}")


def _lead(lead: Lead | None) -> Cell:
    if lead is None:
        return Cell("")
    return Cell(f"{lead.value:+.3f}", f"{lead.low:+.3f} to {lead.high:+.3f}")


REPORT = ReportKind(BenchmarkFacts, benchmark_page)

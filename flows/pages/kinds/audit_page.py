"""The page of an audit, from its facts."""

import numpy as np
from matplotlib.axes import Axes

from flows.pages.blocks import (
    FactPage,
    FigureRow,
    PageFigure,
    PageSection,
    Pairs,
    Paragraph,
    Points,
    ReportKind,
)
from flows.pages.figures import BLUE, GREY, VERMILLION, percent, render
from flows.pages.kinds.audit_facts import BINS, AuditFacts, PValueTable, findings
from tuni.statistics.p_values import EVIDENCE
from tuni.statistics.suppression import HIDDEN


def audit_page(facts: AuditFacts) -> FactPage:
    """The page; what made it stands in the evidence beside the facts."""
    point = percent(facts.operating_point)
    sections = [
        PageSection(
            "What this says, and what it does not",
            (
                Points(
                    (
                        (
                            f"“{EVIDENCE.capitalize()}”",
                            "means that the model treats a text more like texts it has learnt "
                            f"than all but {point} of comparable made-up names. It is not proof.",
                        ),
                        (
                            "“No evidence at this power”",
                            "does not mean that a text was not in the training data.",
                        ),
                        (
                            "A verdict is about the text, not the person:",
                            "a namesake in the training data makes the name known to the model, "
                            "and the two cannot be told apart by text. Rows of names with two "
                            "common parts carry the flag common_name: expect namesakes there. A "
                            "name without the flag can have one too.",
                        ),
                    )
                ),
            ),
        ),
        PageSection(
            "What was asked",
            (
                Pairs(
                    (
                        ("Watch list", f"{facts.watchlist}, {facts.subjects:,} subjects"),
                        ("Checkpoint", facts.checkpoint),
                        ("Detector", f"version {facts.version}"),
                        ("Operating point", point),
                        ("Decoys of the list", f"{facts.list_decoys:,}"),
                        (
                            "Known members found (95\u00a0% interval)",
                            facts.measured_power or "not measured (no labels)",
                        ),
                    )
                ),
            ),
        ),
    ]
    if facts.p_values is not None:
        sections.append(_distribution(facts, facts.p_values))
    return FactPage(
        kicker="Audit report",
        title=f"Is anybody on the list “{facts.watchlist}” known to {facts.checkpoint}?",
        meta=f"Audit {facts.audit}, ended {facts.ended} · state: {facts.state} · model "
        f"fingerprint {facts.fingerprint[:16]}…",
        findings=findings(facts),
        sections=tuple(sections),
        notice=f"No verdict is given: {facts.withheld}." if facts.withheld else None,
    )


def draw_p_values(table: PValueTable, axes: Axes) -> None:
    """Draw a bar per bin, and the line at which they would all end by chance."""
    edges = np.arange(BINS) / BINS
    hidden = np.array([share is None for share in table.shares])
    shares = [share or 0.0 for share in table.shares]
    axes.bar(edges, shares, 1 / BINS, align="edge", color=BLUE, edgecolor="white")
    if hidden.any():
        least = table.expected / 4
        axes.bar(
            edges[hidden], least, 1 / BINS, align="edge", color="white", edgecolor=GREY,
            hatch="////", label=HIDDEN,
        )  # fmt: skip
        axes.legend(frameon=False, fontsize=8.5)
    axes.axhline(table.expected, color=VERMILLION, linewidth=1, linestyle=(0, (5, 2)))
    axes.annotate(
        "expected without members", (1, table.expected), (0, 3),
        xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", color=VERMILLION, fontsize=8.5, backgroundcolor="#ffffffcc",
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xlabel("p-value (smaller: nearer to “trained on”)")
    axes.set_ylabel("share of the list")
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def _distribution(facts: AuditFacts, table: PValueTable) -> PageSection:
    return PageSection(
        "The whole list",
        (
            Paragraph(
                "Without members every bar would end near the line, or below it where decoys are "
                "harder than strangers. A higher first bar is evidence about the list as a whole."
            ),
            FigureRow(
                (
                    PageFigure(
                        "p-values of the list",
                        f"{facts.subjects:,} subjects, {facts.checkpoint} version "
                        f"{facts.version}, fingerprint {facts.fingerprint[:12]}, audit "
                        f"{facts.audit}.",
                        f"Histogram of the list's p-values in {BINS} bins with the level expected "
                        "by chance.",
                        render(draw_p_values, table),
                    ),
                )
            ),
        ),
    )


REPORT = ReportKind(AuditFacts, audit_page)

"""What an audit shows to others: MLflow's run and the report; small counts are hidden."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from matplotlib.axes import Axes

from flows.audit_outcome import AuditSummary
from flows.detector import Detector
from flows.fact_page import FactPage, PageFigure, PageSection, render_page
from flows.list_words import shared_evidence, shared_member_words
from flows.settings import Settings
from flows.svg import BLUE, GREY, VERMILLION, percent, render
from registry.audit_rows import AuditRows
from registry.audits import Audit, Audits
from registry.connection import configure
from registry.ledger import Ledger
from registry.tracking import JobLabels, JobRun, code_commit
from registry.trail import Trail
from tuni import __version__
from tuni.suppression import HIDDEN, SMALLEST_SHARED, hidden_bins, shared_part, shared_words
from tuni.verdicts import EVIDENCE

BINS = 20
_CORRECTIONS = {"bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}


def publish(ledger: Ledger, settings: Settings, audit: Audit, detector: Detector) -> None:
    """Log an ended audit to MLflow: figures, report, and where the trail ended.

    Raises:
        TrackingError: MLflow does not answer; the audit itself is kept, and `tuni audits resume`
            publishes it later.
    """
    summary = AuditSummary.read(audit.summary or {})
    kept = AuditRows(ledger, audit.id).kept_levels()
    levels = {p: count for p, (count, _) in kept.items()}
    labels = JobLabels(
        job=audit.id,
        name=f"audit {audit.watchlist} by {audit.checkpoint} v{audit.version} ({audit.id})",
        checkpoint=audit.checkpoint,
        fingerprint=audit.fingerprint,
        spec=detector.bundle.feature_spec.hash,
        version=__version__,
        commit=code_commit(),
        kind="audit",
        began=audit.created_at,
    )
    with JobRun.open(configure(ledger.home, settings.runs_uri), labels) as run:
        run.set_tags({"watchlist": audit.watchlist, "state": audit.state})
        run.log_params(
            {
                "watchlist": audit.watchlist,
                "detector_version": audit.version,
                "detector_digest": audit.digest,
                "operating_point": summary.operating_point,
                **{name: "default" if v is None else v for name, v in audit.options.items()},
            }
        )
        run.log_metrics(_metrics(summary))
        run.log_text("report.html", render_page(audit_page(audit, summary, levels)))
        run.set_note("\n\n".join(findings(audit, summary)))
        run.set_tags({"trail_head": str(Trail(ledger).head())})
        Audits(ledger).keep_run(audit.id, run.run_id)


def audit_page(audit: Audit, summary: AuditSummary, levels: Mapping[float, int]) -> FactPage:
    """The audit's report; holds no text of the list and no count of fewer than five people.

    Args:
        audit: What was done.
        summary: What came of it.
        levels: How many subjects have which p-value.
    """
    point = percent(summary.operating_point)
    ended = audit.ended_at or datetime.now(UTC)
    sections = [
        PageSection(
            "What this says, and what it does not",
            (
                f"“{EVIDENCE.capitalize()}” means that the model treats a text more like texts it "
                f"has learnt than all but {point} of comparable made-up names. It is not proof.",
                "“No evidence at this power” does not mean that a text was not in the training "
                "data.",
                "A verdict is about the text, not the person: a namesake in the training data "
                "makes the name known to the model, and the two cannot be told apart by text. "
                "Rows of names with two common parts carry the flag common_name: expect "
                "namesakes there. A name without the flag can have one too.",
            ),
        ),
        PageSection(
            "What was asked",
            facts=(
                ("Watch list", f"{audit.watchlist}, {summary.subjects:,} subjects"),
                ("Checkpoint", audit.checkpoint),
                ("Detector", f"version {audit.version}, digest {audit.digest[:16]}…"),
                ("Operating point", point),
                ("Decoys of the list", f"{summary.list_decoys:,}"),
                (
                    "Known members found (95 % interval)",
                    summary.measured_power or "not measured (no labels)",
                ),
            ),
        ),
    ]
    if not summary.withheld and summary.judged >= BINS * SMALLEST_SHARED:
        sections.append(_distribution(audit, levels))
    sections.append(
        PageSection(
            "How to repeat it",
            (
                f"tuni audits verify {audit.id} computes every verdict again from the kept "
                "detector, settings, seeds and list, and compares them bit for bit.",
            ),
            (
                ("Audit", audit.id),
                ("Model fingerprint", audit.fingerprint),
                ("List decoys", "yes" if audit.options["list_decoys"] else "turned off"),
                ("q-values", _CORRECTIONS[audit.options["dependence"]]),
                ("Version of tuni", audit.options["tuni"]),
            ),
        )
    )
    return FactPage(
        kicker="Audit report",
        title=f"Is anybody on the list “{audit.watchlist}” known to {audit.checkpoint}?",
        meta=f"Audit {audit.id}, ended {ended:%Y-%m-%d %H:%M} UTC · state: {audit.state}",
        findings=tuple(findings(audit, summary)),
        sections=tuple(sections),
        notice=f"No verdict is given: {summary.withheld}." if summary.withheld else None,
    )


def findings(audit: Audit, summary: AuditSummary) -> list[str]:
    """The audit in sentences, small counts hidden."""
    judged = f"{summary.judged:,} of {summary.subjects:,} subjects have a verdict."
    if shared_part(summary.judged, summary.subjects) is None:
        judged = f"{shared_words(summary.judged, summary.subjects)} of the subjects have a verdict."
        judged = judged[0].upper() + judged[1:]
    if summary.judged == summary.subjects:
        judged = f"All {summary.subjects:,} subjects have a verdict."
    lines = [judged]
    if summary.missing:
        refused = summary.subjects - summary.judged - summary.missing  # it follows from the two
        told = shared_part(summary.missing, summary.subjects) and not 0 < refused < SMALLEST_SHARED
        missing = f"{summary.missing:,}" if told else "some"
        lines.append(f"The audit is partial: {missing} could be scored, but their shards failed.")
    if summary.withheld:
        return lines
    point = percent(summary.operating_point)
    return [
        *lines,
        f"{EVIDENCE.capitalize()}: {shared_words(summary.found, summary.judged)}. Were none of "
        f"them in the training data, about {summary.by_chance:.0f} would get this verdict by "
        f"chance ({point}).",
        f"Singled out over the whole list (q at most {point}): "
        f"{shared_words(summary.singled_out, summary.found)} of them. This is possible "
        f"where {summary.smallest_findable} texts, members or not, have the smallest p.",
        *shared_member_words(summary.evidence),
    ]


@dataclass(frozen=True, slots=True)
class PValueTable:
    """Shares of a list by p-value, in bins of equal width.

    Attributes:
        shares: Share of the list in each bin from 0 to 1; NaN where it holds fewer than five.
        expected: Share in each bin were nobody in the training data.
    """

    shares: tuple[float, ...]
    expected: float


def p_value_table(levels: Mapping[float, int]) -> PValueTable:
    """Bin the p-values of a list.

    Args:
        levels: How many subjects have which p-value.
    """
    p = np.array(list(levels), dtype=np.float64)
    counts, _ = np.histogram(p, BINS, (0.0, 1.0), weights=np.array(list(levels.values())))
    shares = np.where(hidden_bins(counts.astype(np.int64)), np.nan, counts / counts.sum())
    return PValueTable(
        tuple(shares.tolist()),
        1 / BINS,
    )


def draw_p_values(table: PValueTable, axes: Axes) -> None:
    """Draw a bar per bin, and the line at which they would all end by chance."""
    edges = np.arange(BINS) / BINS
    shares = np.array(table.shares)
    hidden = np.isnan(shares)
    axes.bar(edges, np.nan_to_num(shares), 1 / BINS, align="edge", color=BLUE, edgecolor="white")
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


def _distribution(audit: Audit, levels: Mapping[float, int]) -> PageSection:
    table = p_value_table(levels)
    total = sum(levels.values())
    return PageSection(
        "The whole list",
        (
            "Without members every bar would end near the line, or below it where decoys are "
            "harder than strangers. A higher first bar is evidence about the list as a whole.",
        ),
        figure=PageFigure(
            "p-values of the list",
            f"{total:,} subjects, {audit.checkpoint} version {audit.version}, "
            f"fingerprint {audit.fingerprint[:12]}, audit {audit.id}.",
            f"Histogram of the list's p-values in {BINS} bins with the level expected by chance.",
            render(draw_p_values, table),
        ),
    )


def _metrics(summary: AuditSummary) -> dict[str, float]:
    values: dict[str, float] = {
        "subjects": summary.subjects,
        "expected_by_chance": summary.by_chance,
        "smallest_findable": summary.smallest_findable,
        "decoys_used": summary.list_decoys,
        "withheld": float(summary.withheld is not None),
    }
    # Who is singled out is found as well: the difference is a count too.
    for name, whole in (("found", summary.judged), ("singled_out", summary.found)):
        count = shared_part(getattr(summary, name), whole)
        if count is not None and not summary.withheld:
            values[name] = count
            values[f"{name}_share"] = count / summary.judged
    return values | shared_evidence(summary.evidence)

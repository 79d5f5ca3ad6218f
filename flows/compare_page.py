"""The page of a comparison: aggregates with small counts hidden, and the changes as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from flows.fact_page import FactPage, PageFigure, PageSection
from flows.svg import BLUE, GREY, percent, render
from registry.audits import Audit
from tuni.suppression import HIDDEN, SMALLEST_SHARED, hidden_bins, shared_part, shared_words
from tuni.verdicts import Floats

BINS = 24


@dataclass(frozen=True, slots=True)
class ChangeTable:
    """Shares of subjects and decoys by their change.

    Attributes:
        edges: Of the bins, one more than there are bins.
        subjects: Share of the subjects in each bin; NaN where it holds one to four.
        decoys: Share of the decoys in each bin.
    """

    edges: tuple[float, ...]
    subjects: tuple[float, ...]
    decoys: tuple[float, ...]


def change_table(subjects: Floats, decoys: Floats) -> ChangeTable:
    """Bin the changes of subjects and decoys.

    Args:
        subjects: Changes of the subjects, shape (n,).
        decoys: Changes of the decoys, shape (m,).
    """
    low, high = np.quantile(np.concatenate([subjects, decoys]), [0.001, 0.999])
    edges = np.linspace(low, max(high, low + 1e-9), BINS + 1)
    counts = [np.histogram(np.clip(one, low, high), edges)[0] for one in (subjects, decoys)]
    shares = np.where(hidden_bins(counts[0]), np.nan, counts[0] / len(subjects))
    return ChangeTable(
        tuple(edges.tolist()), tuple(shares.tolist()), tuple((counts[1] / len(decoys)).tolist())
    )


def draw_changes(table: ChangeTable, axes: Axes) -> None:
    """Draw the decoys' changes as a grey area and the subjects' as steps."""
    edges = np.array(table.edges)
    axes.stairs(table.decoys, edges, fill=True, color=GREY, alpha=0.35, label="decoys")
    axes.stairs(table.subjects, edges, color=BLUE, linewidth=1.6, label="subjects")
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8.5)
    axes.set_xlabel("change (right: known more by the second)")
    axes.set_ylabel("share")
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def comparison_page(
    first: Audit, second: Audit, result: Mapping[str, Any], subjects: Floats, decoys: Floats
) -> FactPage:
    """The page of a comparison; holds no text and no count of fewer than five people.

    Args:
        first: The audit that is compared with.
        second: The later one.
        result: What `flows.compare.Comparison.record` gives.
        subjects: Changes of the subjects, shape (n,).
        decoys: Changes of the decoys, shape (m,).
    """
    n, point = result["subjects"], percent(result["operating_point"])
    shown = {
        name: shared_words(result[name], result[within] if within else n)
        for name, within in (
            ("more", ""), ("more_singled_out", "more"), ("less", ""), ("less_singled_out", "less"),
        )
    }  # fmt: skip
    # The two follow from each other and from the findings of the audits' own pages.
    moved = {name: shared_words(result[name], n) for name in ("appeared", "vanished")}
    hidden = any(shared_part(result[name], n) is None for name in moved)
    shown |= dict.fromkeys(moved, HIDDEN) if hidden else moved
    chance = f"about {result['operating_point'] * n:.0f} by chance"
    p = {name: f"{result[name]:.3g}" for name in ("list_more", "list_less")}
    differ: tuple[str, ...] = ()
    if result["differing"]:
        differ = (
            f"The detectors differ in {', '.join(result['differing'])}: a change may be theirs, "
            "not the checkpoint's.",
        )
    table = PageSection(
        "The people of the list",
        (
            f"At p at most {point}, were nobody known more or less than before, {chance} would "
            "stand in each line of the first column.",
        ),
        columns=("Known by the second", "Changed", "Singled out over the list"),
        rows=(
            ("more", shown["more"], shown["more_singled_out"]),
            ("less", shown["less"], shown["less_singled_out"]),
        ),
    )
    figures: tuple[PageSection, ...] = ()
    if n >= BINS * SMALLEST_SHARED:
        figures = (
            PageSection(
                "All changes",
                ("Decoys are unknown to both: how far they spread is what chance does.",),
                figure=PageFigure(
                    f"Changes from {first.checkpoint} v{first.version} to "
                    f"{second.checkpoint} v{second.version}",
                    f"{n:,} subjects and {result['decoys']:,} decoys; normal scores among each "
                    "detector's calibration decoys. Bins of one to four people are left open.",
                    "Histogram of the changes of subjects over that of decoys.",
                    render(draw_changes, change_table(subjects, decoys)),
                ),
            ),
        )
    sides = PageSection(
        "What was compared",
        columns=("", "First", "Second"),
        rows=(
            ("Audit", first.id, second.id),
            ("Checkpoint", first.checkpoint, second.checkpoint),
            ("Fingerprint", first.fingerprint[:16], second.fingerprint[:16]),
            ("Detector", f"version {first.version}", f"version {second.version}"),
            ("Watch list", first.watchlist, second.watchlist),
        ),
    )
    return FactPage(
        kicker="Comparison of two audits",
        title=f"Is the list “{first.watchlist}” known more or less than before?",
        meta=f"Audits {first.id} and {second.id} · {n:,} subjects in both",
        findings=(
            f"The list as a whole: p = {p['list_more']} for being known more, {p['list_less']} "
            "for being known less, against decoys that both detectors scored.",
            f"Findings that appeared: {shown['appeared']}. That vanished: {shown['vanished']}. "
            "A finding near the threshold comes and goes by chance; the changes below are tested.",
            "A change is about texts, not people, and it says nothing about why.",
            *differ,
        ),
        sections=(table, *figures, sides),
    )

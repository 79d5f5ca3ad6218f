"""The one publisher: a report of any kind as evidence file, as page, and in MLflow's run."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.pages.blocks import FactPage, PageSection, Pairs, Paragraph, Subheading
from flows.pages.evidence import Evidence, evidence_text, report_kind
from flows.pages.html import render_page
from tuni.files import write_output

if TYPE_CHECKING:  # a page is rendered without MLflow
    from registry.models.tracking import JobRun

EVIDENCE, REPORT = "evidence.json", "report.html"


def evidence_page(evidence: Evidence) -> FactPage:
    """What was found, then what it rests on."""
    page = report_kind(evidence.facts.kind).page(evidence.facts)
    lists = (
        ("Digests of what went in (SHA-256)", evidence.inputs, False),
        ("Settings", evidence.settings, True),
        ("Versions", evidence.versions, True),
    )
    rest = PageSection(
        "How to repeat it",
        (
            Paragraph(f"Found again by: {evidence.command}"),
            *(
                block
                for heading, values, small in lists
                if values
                for block in (Subheading(heading), Pairs(tuple(sorted(values.items())), small))
            ),
        ),
    )
    return replace(page, sections=(*page.sections, rest))


def render_evidence(evidence: Evidence) -> str:
    """The page as HTML text; equal evidence gives equal text."""
    return render_page(evidence_page(evidence))


def write_report(evidence: Evidence, file: Path | None, page: Path | None) -> None:
    """Write the evidence file and its page, each where it is asked for.

    Args:
        evidence: What was found.
        file: Where the evidence file goes, or None; see `tuni.files.output`.
        page: Likewise the page.

    Raises:
        RequestError: One cannot be written there.
    """
    if file is not None:
        write_output(file, evidence_text(evidence))
    if page is not None:
        write_output(page, render_evidence(evidence))


def log_report(
    run: "JobRun",
    evidence: Evidence,
    *,
    file: str = EVIDENCE,
    page: str = REPORT,
    note: str | None = None,
) -> None:
    """Add the evidence file and its page to a run, and what was found as the run's note.

    Args:
        run: MLflow's.
        evidence: What was found.
        file: Name of the evidence file there.
        page: Name of the page.
        note: The run's note; None is what the page opens with.

    Raises:
        TrackingError: MLflow does not answer.
    """
    shown = evidence_page(evidence)
    run.log_text(file, evidence_text(evidence))
    run.log_text(page, render_page(shown))
    run.set_note(*([note] if note else shown.findings))

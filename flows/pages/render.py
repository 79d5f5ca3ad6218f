"""The page of an evidence file, whatever it is about."""

from pathlib import Path

from flows.pages.blocks import FactPage, PageSection, Pairs, Paragraph, Subheading
from flows.pages.evidence import Evidence, evidence_text
from flows.pages.html import render_page
from flows.pages.kinds.audit_facts import AuditFacts
from flows.pages.kinds.audit_page import audit_page
from flows.pages.kinds.benchmark_facts import BenchmarkFacts
from flows.pages.kinds.benchmark_page import benchmark_page
from flows.pages.kinds.comparison_facts import ComparisonFacts
from flows.pages.kinds.comparison_page import comparison_page
from flows.pages.kinds.job_page import job_page
from tuni.files import write_output


def render_evidence(evidence: Evidence) -> str:
    """The page as HTML text; equal evidence gives equal text."""
    return render_page(evidence_page(evidence))


def write_evidence(evidence: Evidence, file: Path | None, page: Path | None) -> None:
    """Write the evidence file and its page, each where it is asked for.

    Args:
        evidence: What was found.
        file: Where the evidence file goes, or None; see `tuni.files.output`.
        page: Likewise the page.

    Raises:
        RequestError: One cannot be written there.
    """
    if file is not None:
        write_output(file, evidence_text(evidence) + "\n")
    if page is not None:
        write_output(page, render_evidence(evidence))


def evidence_page(evidence: Evidence) -> FactPage:
    """What was found, then what it rests on."""
    page = _page(evidence)
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
    return FactPage(
        page.kicker, page.title, page.meta, page.findings, (*page.sections, rest), page.notice
    )


def _page(evidence: Evidence) -> FactPage:
    match evidence.facts:
        case AuditFacts():
            return audit_page(evidence.facts)
        case ComparisonFacts():
            return comparison_page(evidence.facts)
        case BenchmarkFacts():
            return benchmark_page(evidence.facts)
        case _:
            return job_page(evidence.facts)

"""The page of a benchmark: which method finds whom, at which price, on testbeds of known truth."""

from collections.abc import Sequence

from flows.benchmark_table import (
    HEADS,
    TIES,
    Figures,
    by_testbed,
    findings,
    people_in,
    table_row,
)
from flows.fact_page import FactPage, PageSection
from tuni import __version__


def benchmark_page(figures: Sequence[Figures], pictures: int) -> FactPage:
    """The page.

    Args:
        figures: One per testbed and method, at least one.
        pictures: Pictures of each person, for the methods that need some.
    """
    beds = by_testbed(figures)
    methods = {one.method: one for one in figures}
    sections = [
        PageSection(
            f"Seed {seed}, {captions} captions",
            (
                f"{people_in(rows)} Intervals are 95 %; the last three columns are ours less the "
                "method, by a paired bootstrap over the people that it was asked about: above 0, "
                f"ours is ahead. {TIES}",
            ),
            columns=HEADS,
            rows=tuple(table_row(one) for one in rows),
        )
        for (seed, captions), rows in beds.items()
    ]
    rules = PageSection(
        "The methods and their own rules",
        ("A star marks methods that also need people known not to be members.",),
        columns=("method", "source", "accuses by"),
        rows=tuple((one.title, one.source, one.rule) for one in methods.values()),
    )
    return FactPage(
        kicker="Benchmark",
        title="Which method finds whom, and whom does it accuse?",
        meta=f"tuni {__version__} · {len(beds)} testbeds · {pictures} pictures a person",
        findings=(
            *findings(figures),
            "All testbeds are small CLIPs of drawn people; nothing here was measured on a "
            "web-scale CLIP.",
        ),
        sections=(*sections, rules),
    )

"""The figures of a job: drawn once into its folder, for MLflow and for the report page."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from typing import Any, Literal

from flows.job.folder import CHOICE
from flows.job.job import Job
from flows.pages.figures import render
from flows.pages.kinds.job_facts import Chart
from flows.pages.null_plots import draw_null, null_table
from flows.pages.plots import (
    draw_histograms,
    draw_power,
    draw_roc,
    histogram_table,
    power_table,
    roc_table,
)
from flows.pages.search_plots import (
    TrialPoint,
    draw_importance,
    draw_search,
    importance_table,
    search_table,
)
from tuni.detectors.kind import Floats
from tuni.statistics.evaluation import Evaluation, FewestCaptions
from tuni.statistics.p_values import conformal_p


def draw_charts(
    job: Job, groups: Mapping[str, Floats], measured: Evaluation | None, operating_point: float
) -> Iterator[dict[str, Any]]:  # Any: JSON values
    """Draw every figure that the job has numbers for into its folder.

    Args:
        job: Gives the folder and the search.
        groups: Scores by group of texts.
        measured: The evaluation, or None without labels.
        operating_point: Drawn where it has a place.

    Yields:
        Section, title, caption, alt text and file name of each figure.
    """
    model = f"{job.request.checkpoint.name} {job.target.fingerprint[:12]}"
    choice = job.folder.kept(CHOICE) or {"trials": []}
    drawn = chain(_of_scores(groups, measured, operating_point), _of_search(choice))
    for name, chart in drawn:
        file = f"figures/{name}.svg"
        job.folder.keep_text(file, chart.svg)
        caption = f"{chart.caption} {model}, seed {job.request.compute.seed}."
        kept = asdict(replace(chart, caption=caption)) | {"file": file}
        del kept["svg"]
        yield kept


def _of_scores(
    groups: Mapping[str, Floats], measured: Evaluation | None, point: float
) -> Iterator[tuple[str, Chart]]:
    if measured is not None:
        table = roc_table(groups["members"], groups["non-members"])
        draw = partial(draw_roc, operating_point=point)
        yield _named(
            "roc",
            "power",
            f"Members against strangers: AUC {measured.auc:.2f}",
            f"{measured.members} members and {measured.nonmembers} non-members, logarithmic "
            "axes, cut at the finest rate that the sample supports, 95 % intervals.",
            "Share of members found against share of non-members accused, with its interval",
            render(draw, table),
        )
        single = conformal_p(groups["non-members"], groups["decoys"])
        yield _named(
            "null",
            "power",
            "Are strangers accused as rarely as promised?",
            f"p-values of {measured.nonmembers} known non-members against "
            f"{len(groups['decoys'])} calibration decoys; grey is what chance allows in 95 % of "
            "cases, shared calibration included. Above it validity is in doubt, below it power "
            "is given away.",
            "Share of known non-members at or below each p-value, with the range for valid ones",
            render(
                partial(draw_null, operating_point=point),
                null_table(single, len(groups["decoys"])),
            ),
        )
    threshold = _threshold(groups["decoys"], point)
    draw_groups = partial(draw_histograms, threshold=threshold)
    yield _named(
        "scores",
        "power",
        "Scores by group of texts",
        "A higher score is nearer to trained on; the line is the threshold from decoys.",
        "Histograms of the detector's scores for each group of texts",
        render(draw_groups, histogram_table(groups)),
    )
    if measured is not None and measured.by_captions:
        rows = [(str(row.captions), row.found) for row in measured.by_captions]
        draw_found = partial(draw_power, operating_point=point)
        yield _named(
            "power",
            "power",
            "Found, by number of captions",
            "Members of the labelled test texts by captions in the training data. "
            + " ".join(map(_from_on, measured.captions_for_power)),
            "Share of members found by number of training captions, with intervals",
            render(draw_found, power_table(rows)),
        )


def _of_search(choice: dict[str, Any]) -> Iterator[tuple[str, Chart]]:  # Any: JSON values
    if choice["trials"]:
        points = [
            TrialPoint(
                trial["index"],
                trial["objective"],
                trial["role"] if trial["role"] in ("default", "paper") else "other",
            )
            for trial in choice["trials"]
        ]
        draw_trials = partial(draw_search, objective=f"objective ({choice['objective']})")
        yield _named(
            "search",
            "search",
            f"{len(points)} detectors were tried",
            "Each point is a detector, judged on the search's own texts.",
            "Objective of every trial in order, with the best so far",
            render(draw_trials, search_table(points)),
        )
    if choice.get("importance"):
        yield _named(
            "importance",
            "search",
            "What decided whether a detector was good",
            "Importance of the parameters (PED-ANOVA).",
            "Bars of the importance of each parameter of the search",
            render(draw_importance, importance_table(choice["importance"])),
        )


def _named(
    name: str, section: Literal["power", "search"], title: str, caption: str, alt: str, svg: str
) -> tuple[str, Chart]:
    return name, Chart(section, title, caption, alt, svg)


def _from_on(fewest: FewestCaptions) -> str:
    """From how many captions on so many members are found, with its interval."""
    if fewest.captions is None:
        found = f"No number of captions with enough members reaches {fewest.power:.0%}"
    else:
        found = f"{fewest.power:.0%} are found from {fewest.captions} captions on"
    if fewest.low is None:
        return f"{found}."
    return f"{found} (95 % interval: {fewest.low} to {fewest.high or 'more than were seen'})."


def _threshold(decoys: Floats, operating_point: float) -> float | None:
    """Smallest score that gets a finding against these decoys, or None where none can."""
    allowed = int(operating_point * (len(decoys) + 1) + 1e-9)
    return float(decoys[len(decoys) - allowed]) if allowed >= 1 else None

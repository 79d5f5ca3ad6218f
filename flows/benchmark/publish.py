"""What a benchmark shows to others: tables, the evidence file with its page, MLflow's runs."""

from dataclasses import asdict

from flows.benchmark.request import BenchmarkOutcome, BenchmarkRequest
from flows.benchmark.table import write_csv_table, write_markdown
from flows.machine.home import open_home
from flows.machine.settings import Settings
from flows.pages.evidence import Evidence, library_versions
from flows.pages.kinds.benchmark_facts import BenchmarkFacts, Figures
from flows.pages.publish import log_report, write_report
from registry.models.connection import configure
from registry.models.tracking import JobLabels, JobRun
from tuni.bench.testbed.settings import TestbedSettings
from tuni.files import write_output
from tuni.hashing import digest

EVIDENCE, REPORT = "benchmark.json", "benchmark.html"


def write_tables(request: BenchmarkRequest, outcome: BenchmarkOutcome) -> Evidence:
    """Write CSV, Markdown, evidence and page, each whole; gives what the page says."""
    out = request.out
    evidence = _evidence(request, outcome)
    write_csv_table(outcome.figures, out / "benchmark.csv")
    write_output(out / "benchmark.md", write_markdown(outcome.figures))
    write_report(evidence, out / EVIDENCE, out / REPORT)
    return evidence


def _evidence(request: BenchmarkRequest, outcome: BenchmarkOutcome) -> Evidence:
    settings: dict[str, object] = {"pictures": request.pictures}
    settings |= {f"sizes.{key}": value for key, value in asdict(request.sizes).items()}
    return Evidence(
        BenchmarkFacts(
            outcome.figures, request.pictures, tuple(dict(one.as_json()) for one in request.beds)
        ),
        command="tuni benchmark --out FOLDER",
        settings={key: str(value) for key, value in settings.items()},
        versions=library_versions(),
        inputs={f"testbed, {_place(one)}": one.hash for one in request.beds},
    )


def _place(bed: TestbedSettings) -> str:
    return f"seed {bed.seed}, {bed.captions} captions"


def track(
    request: BenchmarkRequest, outcome: BenchmarkOutcome, evidence: Evidence, settings: Settings
) -> None:
    """One MLflow run of the benchmark, and below it one for each method on each testbed."""
    identities = [request.identity(one, peer) for one in request.beds for peer in request.peers]
    labels = JobLabels(
        job=digest({"cells": identities, "methods": [peer.key for peer in request.peers]}),
        name=f"benchmark: {len(request.beds)} testbeds, {len(request.peers)} methods",
        checkpoint="testbeds",
        fingerprint=digest([one.hash for one in request.beds]),
        spec=digest(asdict(request.sizes)),
        kind="benchmark",
    )
    with JobRun.open(configure(open_home(settings), settings.runs_uri), labels) as run:
        run.log_params({"pictures": request.pictures, **asdict(request.sizes)})
        log_report(run, evidence, file=EVIDENCE, page=REPORT)
        for number, one in enumerate(outcome.figures):
            place = {"method": one.method, "seed": one.seed, "captions": one.captions}
            run.log_child(
                "method", number, f"{one.title}, seed {one.seed} {one.captions}", place,
                method_metrics(one),
            )  # fmt: skip


def method_metrics(one: Figures) -> dict[str, float]:
    """Figures of one method on one testbed, by the names that a job's figures have."""
    values = {
        "test_auc": one.auc,
        "test_auc_low": one.auc_interval.low,
        "test_auc_high": one.auc_interval.high,
        "test_found": one.members_found.value,
        "test_found_low": one.members_found.low,
        "test_found_high": one.members_found.high,
        "nonmember_fpr": one.strangers_accused.value,
        "nonmember_fpr_low": one.strangers_accused.low,
        "nonmember_fpr_high": one.strangers_accused.high,
        "nonmember_fpr_hard": one.hard_accused.value,
        "seconds_per_subject": one.seconds,
    }
    values |= {
        f"tpr_at_nonmember_fpr_{at * 100:g}pct": rate.value
        for at, rate in one.tpr
        if rate is not None
    }
    return values

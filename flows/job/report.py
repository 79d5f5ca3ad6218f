"""What a job's report says, from what its stages kept."""

from datetime import UTC, datetime
from typing import Any

from flows.job.evaluation import Evaluated, told
from flows.job.folder import CHOICE, FINAL
from flows.job.job import Job
from flows.pages.evidence import Evidence, library_versions
from flows.pages.kinds.job_facts import Chart, Power, ReportFacts, Search, Trial
from tuni.detectors.bundle import bundle_digest
from tuni.statistics.intervals import Interval, Rate

OBJECTIVES = {
    "labelled": "partial AUC on labelled texts, up to 20 % of non-members (cross-fitted)",
    "label-free": "share of the unlabelled list found beyond the operating point (ours)",
}
SHOWN_OTHERS = 5


def job_evidence(job: Job, evaluated: Evaluated, version: str) -> Evidence:
    """All that the report of a job says.

    Args:
        job: Gives request, checkpoint and folder.
        evaluated: Figures and gates.
        version: Registered version and alias, as it shall stand there.
    """
    facts = ReportFacts(
        checkpoint=job.request.checkpoint.name,
        fingerprint=job.target.fingerprint,
        written=f"{datetime.now(UTC):%Y-%m-%d}",
        detector=evaluated.detector,
        operating_point=job.request.operating_point,
        asked=_asked(job),
        power=_power(evaluated),
        unknown="" if evaluated.evaluation else evaluated.sentence,
        withheld=evaluated.withheld,
        version=version,
        search=_search(job),
        gates=evaluated.gates,
        charts=tuple(_chart(job, chart) for chart in evaluated.charts),
        evaluation=evaluated.evaluation,
    )
    inputs = {f"{name} (keyed)": value for name, value in job.texts.digests.items() if value}
    inputs |= {
        "job": job.hash,
        "feature spec": job.spec.hash,
        "bundle": bundle_digest(job.folder / FINAL),
    }
    settings = _flat(job.logged_request())
    return Evidence(facts, "tuni run REQUEST.toml", settings, library_versions(), inputs)


def _asked(job: Job) -> tuple[tuple[str, str], ...]:
    labels, listed = sum(job.texts.members.values()), job.texts.listed
    left_out = (("Left out, unfit for the model", told(job.texts.left_out)),)
    return (
        ("Checkpoint", job.request.checkpoint.name),
        ("Kind of text", job.request.subjects.kind),
        ("Known members", told(labels)),
        ("Known non-members", told(len(job.texts.members) - labels)),
        ("Unlabelled list", f"{len(listed.texts) if listed else 0:,} texts"),
        ("Objective of the search", job.objective),
        *(left_out if job.texts.left_out else ()),
    )


def _power(evaluated: Evaluated) -> Power | None:
    value = evaluated.evaluation
    if value is None:
        return None
    precision = () if value["precision"] is None else (("precision", _rate(value["precision"])),)
    return Power(
        members=value["members"],
        nonmembers=value["nonmembers"],
        auc=value["auc"],
        auc_interval=Interval(**value["auc_interval"]),
        found=_rate(value["found"]),
        accused=_rate(value["nonmember_fpr"]),
        found_at=tuple(
            (at, None if rate is None else _rate(rate))
            for at, rate in value["tpr_at_nonmember_fpr"]
        ),
        by_captions=tuple(
            (str(row["captions"]), _rate(row["found"])) for row in value["by_captions"]
        ),
        groups=tuple(
            (one["name"], _rate(one["accused"]), one["auc"], Interval(**one["auc_interval"]))
            for one in value["groups"]
        ),
        agreement=(
            *precision,
            ("recall", _rate(value["found"])),
            ("accuracy", _rate(value["accuracy"])),
        ),
        looks=int(evaluated.headline.get("test_looks", 1)),
        optimism=evaluated.headline.get("test_auc_optimism", 0.0),
    )


def _search(job: Job) -> Search | None:
    choice = job.folder.kept(CHOICE)
    if choice is None or not choice["trials"]:
        return None
    first = {"chosen": 0, "default": 1, "paper": 2, "other": 3}
    seen: dict[str, dict[str, Any]] = {}
    for trial in choice["trials"]:
        seen.setdefault(trial["hash"], trial)
    ranked = sorted(seen.values(), key=lambda one: (first[one["role"]], -one["objective"]))
    others = [trial for trial in ranked if trial["role"] == "other"][:SHOWN_OTHERS]
    shown = [trial for trial in ranked if trial["role"] != "other"] + others
    return Search(
        objective=OBJECTIVES[choice["objective"]],
        tried=len(choice["trials"]),
        trials=tuple(Trial(trial["words"], trial["objective"], trial["role"]) for trial in shown),
        reason=choice["reason"],
    )


def _chart(job: Job, chart: dict[str, Any]) -> Chart:  # Any: JSON values
    svg = (job.folder / chart["file"]).read_text(encoding="utf-8")
    return Chart(chart["section"], chart["title"], chart["caption"], chart["alt"], svg)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, str]:  # Any: JSON values
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _rate(value: dict[str, Any]) -> Rate:  # Any: JSON values
    return Rate(**value)

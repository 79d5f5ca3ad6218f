"""The figures of docs/results.md: testbeds whose members are known, judged by the tool itself.

    python benchmarks/figures.py --seeds 11 12 13 --out figures.json

For every seed it trains the testbed, runs `tuni run` with both objectives as a user would (a home
of its own each), and judges everybody in truth.csv who was not labelled. Every number is
printed with its count; nothing is reseeded.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from flows.machine.environment import log_to, prepare
from flows.machine.settings import Settings

OBJECTIVES = ("labelled", "label-free")
COUNTS = (1, 2, 5, 10, 20, 50)
KEY = ("seed", "objective", "size", "trials")
LEAST_CAPTIONS = 5  # AUC is stated over people with at least so many pictures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--size", default="full", choices=("full", "demo"))
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("figures.json"))
    parser.add_argument("--testbeds", type=Path, help="where testbeds are cached")
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=OBJECTIVES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tuni-figures-") as scratch:
        cache = asked.testbeds or Path(scratch) / "testbeds"
        rows: list[dict[str, Any]] = json.loads(asked.out.read_text()) if asked.out.exists() else []
        for seed in asked.seeds:
            for objective in asked.objectives:
                key = [seed, objective, asked.size, asked.trials]
                if key in [[row[name] for name in KEY] for row in rows]:
                    continue
                home = Path(scratch) / f"home-{seed}-{objective}"
                rows.append(measure(seed, objective, asked.size, asked.trials, home, cache))
                asked.out.write_text(json.dumps(rows, indent=1, sort_keys=True))
                show(rows[-1])
        summary(rows)


def measure(
    seed: int, objective: str, size: Any, trials: int, home: Path, cache: Path
) -> dict[str, Any]:
    """One testbed, one objective: everything that is printed of it."""
    home.mkdir(mode=0o700, parents=True)
    # The key decides who falls on which side of every split: a fixed one makes the run repeatable.
    (home / "key").write_bytes(hashlib.sha256(f"figures {seed}".encode()).digest())
    (home / "key").chmod(0o600)
    os.environ["TUNI_HOME"] = str(home)
    prepare(Settings(home=home))
    log_to(home / "logs")
    from flows.job.job import open_job, shared_jobs
    from flows.machine.console import ConsoleProgress, current_progress
    from flows.machine.settings import SearchTable, read_request
    from flows.run import run_request
    from registry.models.store import ModelStore
    from tuni.bench.testbed.build import make_testbed
    from tuni.bench.testbed.settings import TestbedSettings
    from tuni.detectors.bundle import read_bundle
    from tuni.lists.labelled import read_labelled, read_subjects
    from tuni.statistics.p_values import conformal_p
    from tuni.statistics.roc import auc
    from tuni.texts.text import canonical

    current_progress.set(ConsoleProgress())
    started = time.perf_counter()
    bed = make_testbed(TestbedSettings.of_size(size, seed), cache, current_progress.get())
    trained_s = time.perf_counter() - started
    table = SearchTable(trials=trials, objective=objective)
    request = read_request(bed.request).model_copy(update={"search": table})
    if objective == "label-free":
        subjects = request.subjects.model_copy(update={"labelled": None})
        request = request.model_copy(update={"subjects": subjects})
    started = time.perf_counter()
    with shared_jobs():
        outcome = run_request(request)
        run_s = time.perf_counter() - started
        job = open_job(request)
        store = ModelStore(job.home, None, job.ledger)
        bundle = read_bundle(store.pull(request.checkpoint.name, outcome.version))
        truth = read_labelled(bed.truth)
        # Recombination reinvents about a third of the people; those are not unseen by the nulls.
        drawn = {
            canonical(one) for field in fields(job.sets) for one in getattr(job.sets, field.name)
        }
        listed = {canonical(text) for text in read_subjects(bed.watch).texts}
        used = {canonical(text) for text in read_labelled(bed.labelled).texts}
        if objective == "label-free":  # elsewhere the list only lends its name parts to decoys
            used |= listed
        rows = [
            (text, member, count or 0, group)
            for text, member, count, group in zip(
                truth.texts, truth.members, truth.captions, truth.groups, strict=True
            )
            if canonical(text) not in used | (drawn - listed)
            and group in ("member", "stranger", "hard")
        ]
        texts = [row[0] for row in rows]
        started = time.perf_counter()
        judged = _judge(bundle, job, texts)
        judge_s = time.perf_counter() - started
        compared = _others(job, texts)
    member = np.array([row[1] for row in rows])
    count = np.array([row[2] for row in rows])
    group = np.array([row[3] for row in rows])
    scores, p = judged.by_row(judged.score), judged.by_row(judged.p_decoy)
    single = conformal_p(scores, bundle.pair.decoy_scores)
    strangers, often = group == "stranger", member & (count >= LEAST_CAPTIONS)
    threshold = np.quantile(scores[strangers], 0.95, method="higher")
    calibrated = len(bundle.pair.decoy_scores)
    return {
        "seed": seed,
        "objective": objective,
        "size": size,
        "trials": trials,
        "detector": outcome.evaluated.detector,
        "alias": outcome.alias,
        "withheld": outcome.withheld,
        "testbed_s": trained_s,
        "run_s": run_s,
        "judge_s": judge_s,
        "seconds_per_1000_names": 1000 * judge_s / len(texts),
        "auc_5plus": auc(scores[often], scores[strangers]),
        "auc_all_members": auc(scores[member], scores[strangers]),
        "auc_hard": auc(scores[often], scores[group == "hard"]),
        "power": {
            int(captions): {
                "n": int((member & (count == captions)).sum()),
                "above_95pct_of_strangers": float(
                    (scores[member & (count == captions)] > threshold).mean()
                ),
                "p_decoy_at_most_5pct": float((p[member & (count == captions)] <= 0.05).mean()),
            }
            for captions in COUNTS
            if (member & (count == captions)).any()
        },
        "strangers": _rate(p[strangers], single[strangers], calibrated),
        "hard": _rate(p[group == "hard"], single[group == "hard"], calibrated),
        "compared": {
            name: _compared(values[often], values[strangers], model)
            for name, (values, model) in compared.items()
        },
        "withheld_list": judged.grounds.withheld,
    }


def _judge(bundle: Any, job: Any, texts: list[str]) -> Any:
    from tuni.judging.judge import Judge
    from tuni.judging.null import JudgeOptions
    from tuni.judging.whole_list import judge_texts

    return judge_texts(Judge(bundle, job.target, progress=job.progress), texts, JudgeOptions())


def _others(job: Any, texts: list[str]) -> dict[str, Any]:
    """Scores of the default H2 and of the paper's configuration on the same texts."""
    from flows.job.calibration import calibrated_tables
    from flows.job.search.space import default_detector, paper_detector
    from tuni.features.extract import extract

    scores = {}
    for name, detector in (
        ("default H2 (ours)", default_detector(job.spec)),
        ("the paper's configuration", paper_detector(job.spec)),
    ):
        if detector is None:
            continue
        table = extract(
            job.target, texts, job.spec, families=detector.families, bank=job.features.bank,
            progress=job.progress,
        ).columns  # fmt: skip
        tables = calibrated_tables(job)
        tables.beside["everybody"] = tuple(texts), table
        model = tables.fit(detector)
        scores[name] = (tables.scores(detector, model, ("everybody",))["everybody"], model)
    return scores


def _compared(members: Any, strangers: Any, model: Any) -> dict[str, Any]:
    """One detector; a vote has five scores, so its own rule says more than a share at 5 %."""
    from tuni.detectors.score import has_votes
    from tuni.statistics.roc import auc

    threshold = np.quantile(strangers, 0.95, method="higher")
    figures = {
        "auc_5plus": auc(members, strangers),
        "tpr_5plus_at_nonmember_fpr_5pct": float((members > threshold).mean()),
        "attained_nonmember_fpr": float((strangers > threshold).mean()),
    }
    if model.kind == "vote":
        figures["own_rule_found"] = float(has_votes(model, members).mean())
        figures["own_rule_nonmember_fpr"] = float(has_votes(model, strangers).mean())
    return figures


def _rate(p: Any, single: Any, calibrated: int) -> dict[str, Any]:
    from tuni.statistics.intervals import share
    from tuni.statistics.null_check import null_check

    check = null_check(single, calibrated, 0.05)
    return {
        "verdicts": asdict(share(p <= 0.05)),
        "single_source": asdict(check.rejected),
        "validity_p": check.validity_p,
        "conservatism_p": check.conservatism_p,
    }


def show(row: dict[str, Any]) -> None:
    """Print one testbed's figures."""
    power = "  ".join(
        f"{count}: {cell['above_95pct_of_strangers']:.2f}/{cell['p_decoy_at_most_5pct']:.2f} "
        f"(n {cell['n']})"
        for count, cell in row["power"].items()
    )
    strangers, hard = row["strangers"]["verdicts"], row["hard"]["verdicts"]
    lines = [
        f"seed {row['seed']} {row['objective']}: {row['detector']} ({row['alias']})",
        f"  AUC (5+ captions) {row['auc_5plus']:.3f}, all members {row['auc_all_members']:.3f}",
        f"  found at 5 % of strangers / at p_decoy <= .05, by captions: {power}",
        f"  strangers accused {strangers['hits']} of {strangers['n']} = {strangers['value']:.3f} "
        f"({strangers['low']:.3f}-{strangers['high']:.3f}), single source "
        f"{row['strangers']['single_source']['value']:.3f}, validity p "
        f"{row['strangers']['validity_p']:.3f}",
        f"  hard negatives accused {hard['hits']} of {hard['n']} = {hard['value']:.3f}",
        *(
            f"  {name}: AUC {cell['auc_5plus']:.3f}, found at 5 % of strangers "
            f"{cell['tpr_5plus_at_nonmember_fpr_5pct']:.2f}"
            + (
                f", by its own rule {cell['own_rule_found']:.2f} of members and "
                f"{cell['own_rule_nonmember_fpr']:.2f} of strangers"
                if "own_rule_found" in cell
                else ""
            )
            for name, cell in row["compared"].items()
        ),
        f"  testbed {row['testbed_s']:.0f} s, tuni run {row['run_s']:.0f} s, "
        f"{row['seconds_per_1000_names']:.1f} s per 1,000 names",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def summary(rows: list[dict[str, Any]]) -> None:
    """Rates over all rows together, and whether validity is refuted at 1 % over all checks."""
    from tuni.statistics.intervals import rate

    worst = min(row["strangers"]["validity_p"] for row in rows)
    bound = 0.01 / len(rows)
    lines = []
    for group in ("strangers", "hard"):
        for kind in ("verdicts", "single_source"):
            hits = sum(row[group][kind]["hits"] for row in rows)
            share = rate(hits, sum(row[group][kind]["n"] for row in rows))
            lines.append(
                f"{group}, {kind}: {share.hits} of {share.n} = {share.value:.3f} "
                f"({share.low:.3f}-{share.high:.3f})"
            )
    lines.append(
        f"validity over {len(rows)} checks against the calibration decoys: smallest p "
        f"{worst:.4f}, bound {bound:.4f}: {'not refuted' if worst > bound else 'REFUTED'}"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

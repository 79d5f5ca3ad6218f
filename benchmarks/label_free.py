"""Does the label-free objective rank detectors as their true power does?

    python benchmarks/label_free.py TESTBED [TESTBED ...] --trials 60

A study of `tuni run` without labels on a testbed's watch list, with the light families alone:
inversion and geometry are left out. Each distinct trial's objective stands beside its true power:
members found at 5 % of strangers, on people of the testbed who are neither listed nor decoys. The
rank correlation is Spearman's over the trials, its 95 % interval that of redrawn trials. Features
and trials are kept in the folder.
"""

import argparse
import csv
import hashlib
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from lab import say
from numpy.typing import NDArray
from scipy.stats import spearmanr

Floats = NDArray[np.float64]
POINT = 0.05
REDRAWS = 2000
SHOWN = 3  # trials that the objective flatters most


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """One testbed's trials, the default first; all arrays of shape (trials,).

    Attributes:
        names: What each is called.
        objective: What the search maximised, the control taken off.
        plain: Share of the list's search half with p <= 5 %, less 5 %: without the control.
        allowed: Whether the control lets it pass.
        found: True power: members found at 5 % of strangers.
        accused: Strangers with p <= 5 % among the search decoys.
        chosen: Place of the trial that the search takes.
    """

    names: tuple[str, ...]
    objective: Floats
    plain: Floats
    allowed: NDArray[np.bool_]
    found: Floats
    accused: Floats
    chosen: int


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("testbeds", type=Path, nargs="+")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("lab"))
    asked = parser.parse_args()
    found = []
    for bed in asked.testbeds:
        study = _study(bed, asked.folder, asked.trials)
        found.append(_show(bed.name[:12], study))
    if len(found) > 1:
        means = np.mean(found, axis=0)
        say(f"over {len(found)} testbeds: mean {means[0]:.2f}, without the control {means[1]:.2f}")


def _study(bed: Path, folder: Path, count: int) -> Study:
    home = folder.absolute() / bed.name[:12] / "label-free"
    job = _job(bed, home, count)
    from flows.job.search.space import default_detector
    from flows.job.search.trials import Trials, run_trials
    from tuni.features.extract import extract
    from tuni.statistics.label_free import label_free_choice
    from tuni.statistics.p_values import conformal_p
    from tuni.statistics.roc import tpr_at
    from tuni.texts.text import canonical

    trials = Trials(job)
    used = {canonical(one) for field in fields(job.sets) for one in getattr(job.sets, field.name)}
    with (bed / "truth.csv").open(encoding="utf-8", newline="") as lines:
        people = [
            one
            for one in csv.DictReader(lines)
            if one["group"] in ("member", "stranger") and canonical(one["text"]) not in used
        ]
    everybody = tuple(one["text"] for one in people)
    table = extract(
        job.target, everybody, job.spec,
        bank=job.features.bank, cache=job.features.cache, progress=job.progress,
    ).columns  # fmt: skip
    trials.tables.beside["truth"] = everybody, table
    trials.judged.append("truth")
    member = np.array([one["group"] == "member" for one in people])
    done = {trial.detector.hash: trial for trial in reversed(run_trials(job, trials, _ignore))}
    first = default_detector(job.spec).hash
    distinct = [done[first], *(trial for key, trial in done.items() if key != first)]
    halves = {place: trials.halves(trial.scores) for place, trial in enumerate(distinct)}
    decoys = len(distinct[0].scores["decoy_search"]) // 2
    choice = label_free_choice(halves, 0, decoys, nominal=POINT)
    found, accused, allowed, plain = [], [], [], []
    for place, trial in enumerate(distinct):
        truth = trial.scores["truth"]
        rate = tpr_at(truth[member], truth[~member], POINT)
        found.append(rate.value if rate else np.nan)
        p = conformal_p(truth[~member], trial.scores["decoy_search"])
        accused.append((p <= POINT).mean())
        own = halves[place]
        control = np.mean([(p <= POINT).mean() for p in (own.control_first, own.control_second)])
        allowed.append(control - POINT <= choice.control_bound)
        plain.append((own.list_first <= POINT).mean() - POINT)
    job.close()
    return Study(
        names=tuple(trial.name for trial in distinct),
        objective=np.array([trial.objective for trial in distinct]),
        plain=np.array(plain),
        allowed=np.array(allowed),
        found=np.array(found),
        accused=np.array(accused),
        chosen=choice.chosen,
    )


def _job(bed: Path, home: Path, count: int) -> Any:
    """The job of a user who has the watch list alone."""
    from flows.machine.environment import prepare
    from flows.machine.settings import SearchTable, Settings, read_request

    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "key").exists():  # a fixed key: the same halves of the list at every run
        (home / "key").write_bytes(hashlib.sha256(b"label-free").digest())
        (home / "key").chmod(0o600)
    os.environ["TUNI_HOME"] = str(home)
    prepare(Settings(home=home))
    from flows.job.job import Job
    from flows.machine.console import ConsoleProgress

    asked = read_request(bed / "request.toml")
    update = {
        "subjects": asked.subjects.model_copy(update={"labelled": None}),
        "search": SearchTable(trials=count, objective="label-free"),
        "features": asked.features.model_copy(update={"inversion": False, "geometry": False}),
    }
    return Job.open(asked.model_copy(update=update), Settings(), ConsoleProgress())


def _show(bed: str, study: Study) -> tuple[float, float]:
    """Print one testbed; the correlation with and without the control."""
    told, values = [], []
    kinds = (
        ("objective", study.objective, np.full(len(study.found), fill_value=True)),
        ("without the control", study.plain, np.full(len(study.found), fill_value=True)),
        ("objective among those that the control lets pass", study.objective, study.allowed),
    )
    for name, values_of, rows in kinds:
        value, low, high = _spearman(values_of[rows], study.found[rows])
        told.append(f"{name} {value:.2f} ({low:.2f} to {high:.2f}, {int(rows.sum())} trials)")
        values.append(value)
    say(f"{bed}: rank correlation with members found at 5 % of strangers: {'; '.join(told)}")
    open_to = study.allowed.copy()
    open_to[0] = True
    best = int(np.argmax(np.where(open_to, study.objective, -np.inf)))
    for title, place in (
        ("the default", 0),
        ("first by the objective", best),
        ("taken by the search", study.chosen),
        ("truly best", int(np.argmax(study.found))),
    ):
        say(
            f"  {title}: {study.names[place]}: finds {study.found[place]:.2f}, objective "
            f"{study.objective[place]:+.3f}, accuses {study.accused[place]:.3f} of strangers"
        )
    ranks = np.argsort(np.argsort(study.objective)) - np.argsort(np.argsort(study.found))
    for place in np.argsort(-ranks)[:SHOWN]:
        refused = "" if study.allowed[place] else ", refused by the control"
        say(
            f"  flattered by {ranks[place]} places: {study.names[place]}: finds "
            f"{study.found[place]:.2f}, objective {study.objective[place]:+.3f}, accuses "
            f"{study.accused[place]:.3f} of strangers{refused}"
        )
    return values[0], values[1]


def _spearman(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Spearman's correlation and the percentile interval of redrawn trials."""
    generator = np.random.default_rng(0)
    redrawn = []
    for _ in range(REDRAWS):
        rows = generator.integers(0, len(first), len(first))
        if len(set(first[rows])) > 1 and len(set(second[rows])) > 1:
            redrawn.append(float(spearmanr(first[rows], second[rows]).statistic))
    low, high = np.quantile(redrawn, [0.025, 0.975])
    return float(spearmanr(first, second).statistic), float(low), float(high)


def _ignore(_trial: object) -> None:
    """Nobody is told of single trials."""


if __name__ == "__main__":
    main()

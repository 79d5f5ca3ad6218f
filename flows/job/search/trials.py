"""Trials of a search: fit one detector, score the texts of the search, keep the scores.

The one law: the search sees the fit and search sets alone; labelled-test, the calibration
decoys and what `tuni score` will judge never come near it.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray

from flows.job.features import Needs, sources
from flows.job.job import Job
from flows.job.search.space import default_detector, starting_points, suggest
from flows.job.tables import NULLS, SetTables
from tuni.detectors.fit import fit_needs
from tuni.detectors.spec import DetectorSpec
from tuni.errors import TooFewTexts, UnusableScores
from tuni.files import replacing
from tuni.hashing import derive_seed
from tuni.lists.split import Split
from tuni.statistics.choice import MAX_NONMEMBER_FPR, Choice, cross_fitted_choice
from tuni.statistics.choice_rule import LEAST_LABELS
from tuni.statistics.label_free import HalvedP, LabelFreeChoice, label_free_choice
from tuni.statistics.p_values import conformal_p, quantise, quantum
from tuni.statistics.roc import auc, partial_auc
from tuni.texts.text import canonical

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
STARTUP_TRIALS = 12  # random suggestions before the sampler learns (ours)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One detector that was tried.

    Attributes:
        index: Place in the study, from 0.
        name: What the trial is called: a starting point's name, or the detector's kind.
        detector: What was fitted.
        params: Optuna's parameters.
        objective: What the search maximises.
        scores: Scores of the sets of the search, by set.
        metrics: Honest figures, by MLflow name.
        seconds: Fit and scoring; 0 for a repeated detector.
    """

    index: int
    name: str
    detector: DetectorSpec
    params: Mapping[str, object]
    objective: float
    scores: Mapping[str, Floats]
    metrics: Mapping[str, float]
    seconds: float


class Trials:
    """Fits and scores detectors on the job's features, each distinct one once."""

    def __init__(self, job: Job) -> None:
        """Extract nothing yet: each trial asks for what it reads."""
        self.job = job
        # Calibration decoys come near no search, so that they lend it no effects of parts either.
        self.tables = SetTables(job, ("decoy_search",))
        self.judged = [name for name in job.searched if name not in NULLS]
        members = [job.texts.members.get(canonical(text), False) for text in job.sets.labelled_dev]
        self.members = np.array(members, dtype=bool)
        self.folder = job.folder / "trials"
        self._open: bool | None = None

    def needs(self, detector: DetectorSpec) -> Needs:
        """What is extracted to try a detector."""
        return self.tables.needs(detector, self._told(detector))

    def _told(self, detector: DetectorSpec) -> tuple[str, ...]:
        """The sets that a detector scores; gibberish only where it is fitted on some."""
        fitted = "gibberish_scale" in fit_needs(detector)
        return (*self.judged, *(("gibberish_scale",) if fitted else ()))

    def within_reach(self, detector: DetectorSpec, done: "Sequence[Trial]") -> bool:
        """Whether a detector is worth what has to be extracted for it.

        Where even a perfect trial could not beat the default by the margin, nothing is extracted
        that no trial before has read: neither further families nor their neighbours.

        Args:
            detector: What would be tried.
            done: The trials before, the default first.
        """
        if not done:
            return True
        if self._open is None:
            self._open = self.judgement(done[:1]).open
        return self._open or self._sources(detector) <= {
            source for trial in done for source in self._sources(trial.detector)
        }

    def too_few(self) -> bool:
        """Whether there are too few texts for any trial to take the default's place."""
        if self.job.objective == "labelled":
            members = int(self.members.sum())
            return min(members, len(self.members) - members) < LEAST_LABELS
        sets = self.job.sets
        control = len(sets.control) // 2
        return min(len(sets.list_search), len(sets.list_judge), control) < LEAST_LABELS

    def _sources(self, detector: DetectorSpec) -> set[tuple[str, bool]]:
        return {one for columns in self.needs(detector).values() for one in sources(columns)}

    def judgement(self, done: "Sequence[Trial]") -> Choice | LabelFreeChoice:
        """Which of some trials is taken; the default is among them."""
        hashes = {trial.detector.hash: trial.index for trial in reversed(done)}
        distinct = {
            trial.index: trial for trial in done if hashes[trial.detector.hash] == trial.index
        }
        job = self.job
        default = hashes[default_detector(job.spec).hash]
        margin = job.request.search.margin
        if job.objective == "labelled":
            split = Split(job.ledger.keys.split_key)
            return cross_fitted_choice(
                {index: trial.scores["labelled_dev"] for index, trial in distinct.items()},
                self.members,
                [split.fraction(text, "choice") for text in job.sets.labelled_dev],
                default,
                derive_seed(job.request.compute.seed, "choice"),
                margin=margin,
            )
        decoys = len(next(iter(distinct.values())).scores["decoy_search"])
        return label_free_choice(
            {index: self.halves(trial.scores) for index, trial in distinct.items()},
            default,
            decoys // 2,
            margin=margin,
            nominal=job.request.operating_point,
        )

    def scores(self, detector: DetectorSpec) -> dict[str, Floats]:
        """Scores of every set of the search; from the job's folder where they are known."""
        path = self.folder / f"{detector.hash[:32]}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return {name: kept[name] for name in kept.files}
        told = self._told(detector)
        self.tables.load(detector, told)
        model = self.tables.fit(detector)
        raw = self.tables.scores(detector, model, told)
        grid = quantum(raw["decoy_search"])
        scores = {name: quantise(values, grid) for name, values in raw.items()}
        self.folder.mkdir(exist_ok=True)
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **scores)
        return scores

    def objective(self, scores: Mapping[str, Floats]) -> float:
        """What the search maximises, from the scores of one detector.

        Labelled: partial AUC on labelled-dev up to 20 % of non-members. Label-free: the share of
        the list's search half with p at or below the operating point, less that point, less
        what the negative control exceeds it by (ours).
        """
        if self.job.objective == "labelled":
            dev = scores["labelled_dev"]
            return partial_auc(dev[self.members], dev[~self.members], MAX_NONMEMBER_FPR)
        if self.job.objective == "none":
            return 0.0
        point = self.job.request.operating_point
        halves = self.halves(scores)
        excess = float((halves.list_first <= point).mean()) - point
        control = float((halves.control_first <= point).mean()) - point
        return excess - max(0.0, control)

    def halves(self, scores: Mapping[str, Floats]) -> HalvedP:
        """p-values of the list's halves, each against its own half of the search decoys."""
        first, second = scores["decoy_search"][::2], scores["decoy_search"][1::2]
        control = scores["control"]
        return HalvedP(
            list_first=conformal_p(scores["list_search"], first),
            list_second=conformal_p(scores["list_judge"], second),
            control_first=conformal_p(control[::2], first),
            control_second=conformal_p(control[1::2], second),
        )

    def metrics(self, scores: Mapping[str, Floats]) -> dict[str, float]:
        """Figures of one detector on the search sets, under names that say what they are."""
        point = self.job.request.operating_point
        decoys = scores["decoy_search"]
        figures = {}
        if "gibberish_scale" in scores:
            gibberish = conformal_p(scores["gibberish_scale"], decoys)
            figures["gibberish_fpr"] = float((gibberish <= point).mean())
        if "control" in scores:
            figures["control_decoy_fpr"] = float(
                (conformal_p(scores["control"], decoys) <= point).mean()
            )
        if self.members.any() and not self.members.all():
            dev = scores["labelled_dev"]
            found = conformal_p(dev, decoys) <= point
            figures |= {
                "dev_auc": auc(dev[self.members], dev[~self.members]),
                "dev_partial_auc_nonmember_fpr_20pct": partial_auc(
                    dev[self.members], dev[~self.members], MAX_NONMEMBER_FPR
                ),
                "dev_found_at_decoy_p": float(found[self.members].mean()),
                "dev_nonmember_fpr_at_decoy_p": float(found[~self.members].mean()),
            }
        if "list_search" in scores:
            figures["list_found_at_decoy_p"] = float(
                (conformal_p(scores["list_search"], decoys) <= point).mean()
            )
        return figures


def run_trials(job: Job, trials: Trials, on_trial: Callable[[Trial], None]) -> list[Trial]:
    """Run the study to its end, or go on with one that was stopped.

    Suggestion number i depends on the seed and on the i trials before it alone, so a study that
    was interrupted ends as one that was not.

    Args:
        job: Gives seed, trials, time budget and the study's name.
        trials: Fits and scores.
        on_trial: Told of every trial, also of those that an earlier run did.

    Returns:
        All trials, in order.
    """
    asked = job.request.search
    study = _open_study(job)
    points = starting_points(job.spec)
    done: list[Trial] = []
    for old in _finished(study):
        if old.state == optuna.trial.TrialState.COMPLETE:
            done.append(_restored(old, trials))
            on_trial(done[-1])
    deadline = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
    with job.progress.stage("trying detectors", asked.trials) as step:
        index = len(_finished(study))
        step(index)
        while index < asked.trials:
            if deadline is not None and index >= len(points) and time.monotonic() > deadline:
                break
            study.sampler = _sampler(job.request.compute.seed, index)
            if index < len(points):
                study.enqueue_trial(points[index][0], user_attrs={"name": points[index][1]})
            trial = study.ask()
            made = _run_one(trial, index, trials, done)
            if made is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                trial.set_user_attr("detector", made.detector.to_json())
                trial.set_user_attr("index", index)
                trial.set_user_attr("seconds", made.seconds)
                study.tell(trial, made.objective)
                done.append(made)
                on_trial(made)
            index += 1
            step(1)
    return done


def _run_one(
    trial: optuna.Trial, index: int, trials: Trials, done: Sequence[Trial]
) -> Trial | None:
    job, started = trials.job, time.monotonic()
    try:
        detector = suggest(trial, job.spec, job.request.nulls.gibberish)
        if not trials.within_reach(detector, done):
            log.info("trial %d is left out: nothing could beat the default by the margin", index)
            return None
        scores = trials.scores(detector)
    except optuna.TrialPruned:
        return None
    except (TooFewTexts, UnusableScores) as error:  # such as a robust covariance of few rows
        log.info("trial %d cannot be fitted: %s", index, error.problem)
        return None
    return Trial(
        index=index,
        name=str(trial.user_attrs.get("name", detector.kind)),
        detector=detector,
        params=trial.params,
        objective=trials.objective(scores),
        scores=scores,
        metrics=trials.metrics(scores),
        seconds=time.monotonic() - started,
    )


def _restored(old: optuna.trial.FrozenTrial, trials: Trials) -> Trial:
    detector = DetectorSpec.from_json(old.user_attrs["detector"])
    scores = trials.scores(detector)
    return Trial(
        index=old.user_attrs["index"],
        name=str(old.user_attrs.get("name", detector.kind)),
        detector=detector,
        params=old.params,
        objective=float(old.value or 0.0),
        scores=scores,
        metrics=trials.metrics(scores),
        seconds=old.user_attrs["seconds"],
    )


def _open_study(job: Job) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(
        job.home.optuna_url, engine_kwargs={"connect_args": {"timeout": 30}}
    )
    study = optuna.create_study(
        study_name=job.hash, storage=storage, direction="maximize", load_if_exists=True
    )
    states = optuna.trial.TrialState
    for stale in study.get_trials(states=(states.RUNNING,)):
        study.tell(stale.number, state=states.FAIL)
    while study.get_trials(deepcopy=False, states=(states.WAITING,)):
        study.tell(study.ask(), state=states.FAIL)
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = optuna.trial.TrialState
    return study.get_trials(states=(states.COMPLETE, states.PRUNED))


def importance(job: Job) -> dict[str, float]:
    """How much each parameter decides whether a trial is among the best (PED-ANOVA).

    Unlike Optuna's other evaluators it knows parameters that only some trials have.
    """
    study = _open_study(job)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Rarely tried parameters are expected here; one warning each would fill the terminal.
            warnings.filterwarnings("ignore", "Some regimes for parameter", UserWarning)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    except (ValueError, RuntimeError) as error:  # too few trials, or all of one value
        log.info("parameter importance cannot be told (%s)", type(error).__name__)
        return {}


def _sampler(seed: int, index: int) -> optuna.samplers.BaseSampler:
    # A sampler seeded alike at every start would repeat its suggestions after a restart.
    return optuna.samplers.TPESampler(
        seed=derive_seed(seed, f"trial {index}"), n_startup_trials=STARTUP_TRIALS
    )

"""The study: the default first, every detector fitted once, a stopped study ends like another."""

from pathlib import Path

import numpy as np
import pytest

from flows.job.features import sources
from flows.job.job import Job
from flows.job.search.choose import choose
from flows.job.search.space import default_detector
from flows.job.search.trials import Trials, run_trials
from flows.machine.settings import Request, Settings
from tests.objects import latin_names
from tuni.statistics.choice import Choice

TRIALS = 5


@pytest.fixture(scope="module")
def request_of_labels(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Request:
    """The smallest request with labels enough to search on."""
    lines = [f"{name},{row % 2}" for row, name in enumerate(latin_names(130))]
    labelled = tmp_path_factory.mktemp("lists") / "labelled.csv"
    labelled.write_text("\n".join(["text,member", *lines]), encoding="utf-8")
    return Request.model_validate(
        {
            "checkpoint": {"name": "tiny", "folder": tiny_folder},
            "subjects": {"labelled": labelled},
            "nulls": {
                "gibberish": 500,
                "decoy_fit": 200,
                "decoy_search": 100,
                "decoy_calibration": 300,
                "decoy_check": 100,
            },
            "features": {"inversion": False, "geometry": False, "stability": False},
            "search": {"trials": TRIALS},
            "compute": {"threads": 1},
        }
    )


@pytest.fixture(scope="module")
def job(request_of_labels, tmp_path_factory):
    opened = Job.open(request_of_labels, Settings(home=tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trials(job) -> Trials:
    return Trials(job)


@pytest.fixture(scope="module")
def done(job, trials):
    return run_trials(job, trials, lambda _trial: None)


def test_the_default_is_tried_first_and_every_trial_is_judged(job, done):
    assert done[0].detector == default_detector(job.spec)
    assert {trial.index for trial in done} <= set(range(TRIALS))
    for trial in done:
        assert np.isfinite(trial.objective)
        assert 0 <= trial.metrics["dev_auc"] <= 1
        assert all(np.isfinite(scores).all() for scores in trial.scores.values())


def test_the_search_sees_neither_test_labels_nor_calibration_decoys(job, trials):
    seen = set(trials.judged) | set(job.searched)
    assert not seen & {"labelled_test", "decoy_calibration", "decoy_check"}
    assert not {name for name in job.searched if name.endswith(("_test", "_calibration"))}


def test_a_second_start_repeats_nothing_and_tells_of_every_trial(job, done, trials):
    before = {path.name: path.stat().st_mtime_ns for path in trials.folder.iterdir()}
    told = []
    again = run_trials(job, trials, told.append)
    assert [trial.detector.hash for trial in again] == [trial.detector.hash for trial in done]
    assert [trial.objective for trial in again] == [trial.objective for trial in done]
    assert len(told) == len(done)
    assert {path.name: path.stat().st_mtime_ns for path in trials.folder.iterdir()} == before


def test_a_study_stopped_in_the_middle_ends_like_an_undisturbed_one(
    request_of_labels, job, done, tmp_path, share_keys
):
    class Stopped(BaseException):
        pass

    def stop_at_the_third(trial):
        if trial.index == 2:
            raise Stopped

    home = share_keys(job.home.root, tmp_path / "home")
    other = Job.open(request_of_labels, Settings(home=home))
    fresh = Trials(other)
    with pytest.raises(Stopped):
        run_trials(other, fresh, stop_at_the_third)
    other.close()
    resumed = Job.open(request_of_labels, Settings(home=home))
    again = run_trials(resumed, Trials(resumed), lambda _trial: None)
    resumed.close()
    assert [trial.detector.hash for trial in again] == [trial.detector.hash for trial in done]
    assert [trial.objective for trial in again] == [trial.objective for trial in done]


def test_without_labels_or_list_the_default_is_taken_unsearched(tiny_folder, tmp_path):
    request = Request.model_validate({"checkpoint": {"name": "tiny", "folder": tiny_folder}})
    other = Job.open(request, Settings(home=tmp_path / "home"))
    choice = choose(other)
    other.close()
    assert choice["hash"] == default_detector(other.spec).hash
    assert choice["trials"] == []
    assert "default detector" in choice["reason"]


def test_nothing_is_extracted_for_trials_that_could_not_beat_the_default(
    request_of_labels, job, done, tmp_path, share_keys, monkeypatch
):
    monkeypatch.setattr(Choice, "open", property(lambda _choice: False))
    other = Job.open(request_of_labels, Settings(home=share_keys(job.home.root, tmp_path / "home")))
    trials = Trials(other)
    again = run_trials(other, trials, lambda _trial: None)
    other.close()
    default = trials.needs(default_detector(job.spec))
    kept = {source for some in default.values() for source in sources(some)}
    read = {
        source
        for trial in again
        for some in trials.needs(trial.detector).values()
        for source in sources(some)
    }
    assert read == kept
    assert {trial.detector.hash for trial in again} < {trial.detector.hash for trial in done}


def test_halves_use_their_own_half_of_the_decoys(trials):
    decoys = np.arange(100.0)
    scores = {
        "decoy_search": decoys,
        "list_search": np.array([98.5]),
        "list_judge": np.array([98.5]),
        "control": np.array([0.0, 0.0]),
    }
    halves = trials.halves(scores)
    # Even decoys end at 98, odd ones at 99: only the second half has one above.
    assert halves.list_first.tolist() == [1 / 51]
    assert halves.list_second.tolist() == [2 / 51]
    assert halves.control_first.tolist() == [1.0]

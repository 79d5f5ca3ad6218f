"""What is extracted for a detector: what it reads, and nothing that it does not."""

import pytest

from flows.job.job import Job
from flows.job.search.space import expected_detectors
from flows.job.tables import SetTables, detector_needs
from flows.machine.settings import Settings
from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2, PAPER
from tuni.detectors.fit import joined

DECOYS = ("decoy_scale", "decoy_search")


def test_the_default_reads_no_neighbours_and_no_gibberish():
    both = {"hidden.0", "jacobian_relative"}
    assert detector_needs(DEFAULT_H2, ("labelled_dev",), DECOYS) == {
        "decoy_fit": {"hidden.0"},  # tells what parts add to it, and not to a score
        "decoy_scale": both,
        "decoy_search": both,
        "labelled_dev": both,
    }


def test_h_reads_neighbours_where_it_is_fitted_and_what_it_scores():
    hidden = {"hidden.0", "hidden.0.other_lasts", "hidden.0.other_firsts"}
    jacobian = {name.replace("hidden.0", "jacobian_relative") for name in hidden}
    assert detector_needs(DEFAULT_H, ("labelled_dev",), DECOYS) == {
        "decoy_fit": hidden,
        "decoy_scale": hidden | jacobian,
        "labelled_dev": hidden | jacobian,
    }


def test_votes_on_gibberish_read_no_decoys():
    read = {"inversion.S", "inversion.D_rms"}
    assert detector_needs(PAPER, ("labelled_dev",), DECOYS) == dict.fromkeys(
        ("gibberish_fit", "gibberish_scale", "labelled_dev"), read
    )


def test_needs_are_joined_by_set():
    first, second = {"a": frozenset("x")}, {"a": frozenset("y"), "b": frozenset("z")}
    assert joined(first, second) == {"a": {"x", "y"}, "b": {"z"}}


@pytest.fixture(scope="module")
def job(registered, tmp_path_factory):
    opened = Job.open(registered.request, Settings(home=tmp_path_factory.mktemp("needs") / "home"))
    yield opened
    opened.close()


@pytest.mark.parametrize("number", range(9))
def test_a_detector_is_fitted_and_scored_from_what_it_needs_alone(job, monkeypatch, number):
    detector = expected_detectors(job.spec, 500, 12, 3)[number]
    tables = SetTables(job, ("decoy_search",))
    needed = tables.needs(detector, ("decoy_calibration",))
    table = job.features.table

    def strict(name):
        return {column: array for column, array in table(name).items() if column in needed[name]}

    tables.load(detector, ("decoy_calibration",))
    monkeypatch.setattr(
        SetTables, "_extracted", lambda _self, name: strict(name) if name in needed else {}
    )
    scores = tables.scores(detector, tables.fit(detector), ("decoy_calibration",))
    assert len(scores["decoy_calibration"]) > 0

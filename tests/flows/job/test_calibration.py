"""Thresholds come from decoys that no detector was fitted on."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from flows.job.calibration import calibrated_tables, make_bundle
from flows.job.job import Job
from flows.job.search.space import default_detector
from flows.machine.settings import Settings
from flows.pages.evidence import library_versions
from tuni.detectors.bundle import read_bundle, write_bundle


@pytest.fixture
def job(registered, tmp_path):
    opened = Job.open(registered.request, Settings(home=registered.home))
    yield opened
    opened.close()


def test_calibration_scores_are_as_many_as_the_calibration_decoys(job):
    bundle = make_bundle(job, default_detector(job.spec))
    assert len(bundle.pair.decoy_scores) == len(job.sets.decoy_calibration)
    assert (np.diff(bundle.pair.decoy_scores) >= 0).all()
    assert bundle.single is not None
    assert len(bundle.single.decoy_scores) == len(job.sets.single_calibration)


def test_a_detector_is_fitted_on_fit_and_scale_sets_alone(job):
    calibrated_tables(job).load(default_detector(job.spec), ())
    rows = {len(array) for array in job.features.table("decoy_fit").values()}
    assert rows == {len(job.sets.decoy_fit)}
    assert not set(job.sets.decoy_fit) & set(job.sets.decoy_calibration)


def test_only_what_the_detector_reads_is_extracted(job):
    make_bundle(job, default_detector(job.spec))
    loaded = {name: set(job.features.table(name)) for name in asdict(job.sets)}
    own = {"hidden.0", "hidden.1", "hidden.norm"}
    assert loaded["decoy_calibration"] == loaded["single_fit"] == own
    assert not any(
        name.endswith(("_lasts", "_firsts")) for some in loaded.values() for name in some
    )
    asked = {name for name, some in loaded.items() if some}
    assert not asked & {"gibberish_fit", "gibberish_scale", "control", "labelled_test"}


def test_the_same_job_gives_the_same_bundle_to_the_bit(job, tmp_path):
    detector = default_detector(job.spec)
    first = write_bundle(make_bundle(job, detector), tmp_path / "first")
    assert write_bundle(make_bundle(job, detector), tmp_path / "second") == first


def test_a_bundle_asks_only_for_the_families_it_reads_and_names_its_versions(job, tmp_path):
    write_bundle(make_bundle(job, default_detector(job.spec)), tmp_path / "bundle")
    bundle = read_bundle(tmp_path / "bundle")
    assert list(bundle.feature_spec.families) == ["hidden"]
    assert bundle.versions == library_versions()
    content = json.loads((tmp_path / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert content["format"] == 1


def test_a_bundle_holds_no_part_of_the_jobs_names_beside_those_that_every_bundle_holds(
    job, tmp_path
):
    folder = tmp_path / "bundle"
    write_bundle(make_bundle(job, default_detector(job.spec)), folder)
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    kind = job.texts.kind
    common = {part for parts in job.spec.parts for part in (*parts.firsts, *parts.lasts)}
    texts = (*job.sets.labelled_test, *job.sets.decoy_calibration)
    own = {part for text in texts for part in kind.parse(text).parts} - common
    assert own
    assert not [part for part in own if f'"{part}"'.encode() in content]

"""A bundle: the chosen detector fitted on nulls, with thresholds from decoys that it never saw."""

import numpy as np

from flows.job.job import Job
from flows.pages.evidence import library_versions
from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.defaults import SINGLE
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.score import Table, score
from tuni.detectors.spec import DetectorSpec
from tuni.features.registry import family_named
from tuni.hashing import derive_seed
from tuni.statistics.p_values import quantise, quantum

CALIBRATED = ("decoy_calibration", "decoy_check", "gibberish_calibration", "labelled_test")


NULLS = ("gibberish_fit", "gibberish_scale", "decoy_fit", "decoy_scale")


def make_bundle(job: Job, detector: DetectorSpec) -> Bundle:
    """Fit a detector on the fit nulls and calibrate it on decoys that it never saw."""
    single = SINGLE if SINGLE.families <= set(job.spec.families) else SINGLE.parts[0]
    families = detector.families
    job.features.load((*NULLS, *CALIBRATED), families)
    bank = job.features.bank
    reads_bank = any(family_named(name).reads_bank for name in families)
    return Bundle(
        checkpoint=job.request.checkpoint.name,
        fingerprint=job.target.fingerprint,
        kind=job.request.subjects.kind,
        feature_spec=job.spec.only(families | single.families),
        pair=_scorer(
            detector,
            fit_nulls(job, detector),
            job.features.table("decoy_calibration", families),
            job.features.table("gibberish_calibration", families),
            job.request.compute.seed,
        ),
        single=_single_scorer(job, single),
        operating_point=job.request.operating_point,
        seed=job.request.compute.seed,
        settings={
            "detector": detector.to_json(),
            "nulls": job.request.nulls.model_dump(mode="json", exclude={"decoys"}),
            "job": job.hash,
        },
        evidence={},
        versions=library_versions(),
        bank=bank.embeddings.astype(np.float64) if bank and reads_bank else None,
    )


def fit_nulls(job: Job, detector: DetectorSpec) -> Nulls:
    """The nulls of a job with the features that one detector reads."""
    families = detector.families
    job.features.load(NULLS, families)
    return Nulls(**{name: job.features.table(name, families) for name in NULLS})


def _single_scorer(job: Job, detector: DetectorSpec) -> Scorer:
    families = detector.families
    fit, scale = (job.features.table(name, families) for name in ("single_fit", "single_scale"))
    nothing: Table = {}
    return _scorer(
        detector,
        Nulls(gibberish_fit=nothing, gibberish_scale=nothing, decoy_fit=fit, decoy_scale=scale),
        job.features.table("single_calibration", families),
        job.features.table("single_gibberish", families),
        job.request.compute.seed,
    )


def _scorer(
    detector: DetectorSpec, nulls: Nulls, decoys: Table, gibberish: Table, seed: int
) -> Scorer:
    # The seed of the search, so that the calibrated detector is the one that was chosen.
    model = fit_detector(detector, nulls, derive_seed(seed, "fit"))
    raw = score(model, decoys)
    grid = quantum(raw)
    return Scorer(
        model=model,
        decoy_scores=np.sort(quantise(raw, grid)),
        gibberish_scores=np.sort(quantise(score(model, gibberish), grid)),
        quantum=grid,
    )

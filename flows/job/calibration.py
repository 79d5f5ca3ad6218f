"""A bundle: the chosen detector fitted on nulls, with thresholds from decoys that it never saw."""

import numpy as np

from flows.job.features import Needs
from flows.job.job import Job
from flows.job.tables import SetTables
from flows.pages.evidence import library_versions
from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.defaults import SINGLE
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.model import ArrayModel
from tuni.detectors.score import Table, score
from tuni.detectors.spec import DetectorSpec
from tuni.features.registry import family_named
from tuni.features.spec import FeatureSpec
from tuni.hashing import derive_seed
from tuni.judging.forms import Forms
from tuni.statistics.p_values import Floats, quantise, quantum

CALIBRATED = ("decoy_calibration", "gibberish_calibration")
# Decoys that part effects of a calibrated detector are fitted on, beside those of its fit.
DECOYS = ("decoy_search", "decoy_calibration", "decoy_check")
_SINGLES = ("single_fit", "single_scale", "single_calibration", "single_gibberish")


def calibrated_tables(job: Job) -> SetTables:
    """The sets that a detector is fitted on, calibrated with and measured on."""
    return SetTables(job, DECOYS)


def make_bundle(job: Job, detector: DetectorSpec) -> Bundle:
    """Fit a detector on the fit nulls and calibrate it on decoys that it never saw."""
    single = single_detector(job.spec)
    families = detector.families
    bank = job.features.bank
    reads_bank = any(family_named(name).reads_bank for name in families)
    tables = calibrated_tables(job)
    tables.load(detector, CALIBRATED)
    model = tables.fit(detector)
    scores = tables.scores(detector, model, CALIBRATED)
    return Bundle(
        checkpoint=job.request.checkpoint.name,
        fingerprint=job.target.fingerprint,
        kind=job.request.subjects.kind,
        feature_spec=job.spec.only(families | single.families),
        pair=_scorer(
            detector,
            model,
            scores["decoy_calibration"],
            scores["gibberish_calibration"],
        ),
        # Of some kinds no text has one part alone, so that there is nothing to calibrate on.
        single=_single_scorer(job, single) if job.sets.single_fit else None,
        operating_point=job.request.operating_point,
        seed=job.request.compute.seed,
        settings={
            "detector": detector.to_json(),
            "nulls": job.request.nulls.model_dump(mode="json", exclude={"decoys"}),
            "job": job.hash,
            **({"region": region} if (region := job.request.subjects.region) else {}),
        },
        evidence={},
        versions=library_versions(),
        bank=bank.embeddings.astype(np.float64) if bank and reads_bank else None,
    )


def single_detector(spec: FeatureSpec) -> DetectorSpec:
    """What judges names of one part; hidden states alone where the spec has no gradients."""
    return SINGLE if SINGLE.families <= set(spec.families) else SINGLE.parts[0]


def single_needs(detector: DetectorSpec) -> Needs:
    """What the scorer of names of one part is made of."""
    return dict.fromkeys(_SINGLES, detector.needed)


def _single_scorer(job: Job, detector: DetectorSpec) -> Scorer:
    job.features.load(single_needs(detector))
    fit, scale, decoys, gibberish = map(job.features.table, _SINGLES)
    nothing: Table = {}
    nulls = Nulls(gibberish_fit=nothing, gibberish_scale=nothing, decoy_fit=fit, decoy_scale=scale)
    model = fit_detector(detector, nulls, derive_seed(job.request.compute.seed, "fit"))
    scores = (
        Forms.of(job.texts.kind, getattr(job.sets, name)).largest(score(model, table))
        for name, table in zip(_SINGLES[2:], (decoys, gibberish), strict=True)
    )
    return _scorer(detector, model, *scores)


def _scorer(detector: DetectorSpec, model: ArrayModel, decoys: Floats, gibberish: Floats) -> Scorer:
    grid = quantum(decoys)
    return Scorer(
        model=model,
        decoy_scores=np.sort(quantise(decoys, grid)),
        gibberish_scores=np.sort(quantise(gibberish, grid)),
        quantum=grid,
        less_parts=detector.less_parts,
    )

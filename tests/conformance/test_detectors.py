"""One suite that every kind of detector passes, those of other packages too, and shipped specs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from optuna.trial import FixedTrial

from flows.job.search.space import starting_points, suggest
from flows.machine.settings import FeaturesTable
from tuni.detectors.bundle import Bundle, Scorer, read_bundle, write_bundle
from tuni.detectors.defaults import (
    DEFAULT_H,
    DEFAULT_H2,
    DEFAULT_T,
    H2_WITHOUT_GRADIENTS,
    PAPER,
    SINGLE,
)
from tuni.detectors.describe import describe
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.model import ArrayModel, check_model
from tuni.detectors.registry import kind_named, kind_names, other_names
from tuni.detectors.score import score
from tuni.detectors.search import Search
from tuni.detectors.spec import DetectorSpec
from tuni.errors import BundleError, SpecMismatch, TooFewTexts, UnusableScores
from tuni.features.family import Asked
from tuni.features.registry import families
from tuni.features.spec import FeatureSpec
from tuni.texts.kind import NeighbourParts

Table = Mapping[str, NDArray[np.float32]]

WIDTH = 12
INVERTED = ("inversion.S", "inversion.D_rms")
SPECS = {
    "feature": DetectorSpec("feature", ("jacobian_relative~0.375",)),
    "pair_residual": DEFAULT_T,
    "sum": DEFAULT_H,
    "vote": PAPER,
    "isolation_forest": DetectorSpec("isolation_forest", ("hidden.0",), params=(("trees", 50),)),
    "lof": DetectorSpec("lof", ("hidden.0",)),
    "ocsvm": DetectorSpec("ocsvm", ("hidden.0",)),
    "mahalanobis": DetectorSpec("mahalanobis", ("hidden.0",), params=(("shrinkage", 1.0),)),
    "mahalanobis, robust": DetectorSpec(
        "mahalanobis", ("hidden.0",), params=(("dims", 5), ("robust", 1))
    ),
    "knn": DetectorSpec("knn", ("hidden.0", "jacobian_relative"), params=(("dims", 6),)),
    "knn, guarded": DetectorSpec("knn", ("hidden.0",), null="gibberish", guard=True),
    "autoencoder": DetectorSpec("autoencoder", ("hidden.0",), params=(("epochs", 60),)),
    "length": DetectorSpec("length", ("hidden.0.less_parts",)),
    "sum, less parts": DEFAULT_H2,
    "single": SINGLE,
}
READS = {
    "column": {"columns": ("hidden.0",)},
    "columns": {"columns": ("hidden.0", "jacobian_relative")},
    "parts": {"parts": (DEFAULT_T, DetectorSpec("feature", ("jacobian_relative",)))},
}
for name in other_names():
    SPECS[name] = DetectorSpec(name, **READS[kind_named(name).reads])
FEATURES = FeatureSpec(
    (),
    families={
        family.name: family.asked(Asked(FeaturesTable().model_dump(), 0, None))
        for family in families()
    },
)


def texts(seed: int, n: int, known: float = 0.0, nonsense: bool = False) -> Table:
    """Features of names from one pool of parts; ``known`` pushes what no part explains."""
    pool, draw = np.random.default_rng(0), np.random.default_rng(seed)
    firsts, lasts = pool.normal(size=(2, 40, WIDTH))
    first, last = draw.integers(40, size=(2, n))
    direction = draw.normal(size=(n, WIDTH))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    noise = 0.2 * draw.normal(size=(3, n, WIDTH))
    hidden = firsts[first] + lasts[last] + noise[0] + known * direction
    if nonsense:
        hidden = 0.5 * draw.normal(size=(n, WIDTH))
    plain = draw.normal(size=(5, n, 1))
    columns = {
        "hidden.0": hidden,
        "hidden.0.less_parts": hidden - (0.0 if nonsense else firsts[first] + lasts[last]),
        "hidden.0.other_lasts": firsts[first] + lasts[:8].mean(0) + 0.3 * noise[1],
        "hidden.0.other_firsts": lasts[last] + firsts[:8].mean(0) + 0.3 * noise[2],
        "hidden.norm": np.linalg.norm(hidden, axis=1, keepdims=True) + known,
        "jacobian_relative": plain[0] + known / 3,
        "jacobian_relative.other_lasts": plain[1] / 4,
        "jacobian_relative.other_firsts": plain[2] / 4,
        "inversion.S": plain[3] + known,
        "inversion.D_rms": plain[4] - known,
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


@pytest.fixture(scope="module")
def nulls() -> Nulls:
    return Nulls(
        gibberish_fit=texts(1, 300, nonsense=True),
        gibberish_scale=texts(2, 200, nonsense=True),
        decoy_fit=texts(3, 400),
        decoy_scale=texts(4, 200),
    )


@pytest.fixture(scope="module", params=SPECS)
def spec(request: pytest.FixtureRequest) -> DetectorSpec:
    return SPECS[request.param]


@pytest.fixture(scope="module")
def model(spec: DetectorSpec, nulls: Nulls) -> ArrayModel:
    return fit_detector(spec, nulls, seed=0)


def rows(table: Table, chosen: NDArray[np.intp] | slice) -> Table:
    return {name: values[chosen] for name, values in table.items()}


def test_every_kind_is_in_this_suite() -> None:
    assert {spec.kind for spec in SPECS.values()} == set(kind_names())


class Dice:
    """Answers what a kind asks, by chance and within what it asked for."""

    def __init__(self, seed: int) -> None:
        self.draw, self.answers = np.random.default_rng(seed), {}

    def choice(self, name, options):
        return self.answers.setdefault(name, options[self.draw.integers(len(options))])

    def number(self, name, low, high, *, log=False, step=None):
        assert low <= high
        assert not log or low > 0
        return self.answers.setdefault(name, low + (high - low) * self.draw.integers(5) / 4)

    def whole(self, name, low, high, *, log=False):
        assert isinstance(low, int)
        assert isinstance(high, int)
        return self.answers.setdefault(name, int(self.draw.integers(low, high + 1)))


@pytest.mark.parametrize("name", kind_names())
def test_a_suggestion_is_a_detector_of_features_that_there_are(name: str) -> None:
    asks = kind_named(name).suggest
    assert asks is not None
    specs = [
        asks(Search(Dice(seed), FEATURES, 500, less_parts=less))
        for seed in range(60)
        for less in (False, True)
    ]
    assert name in {spec.kind for spec in specs if spec is not None}
    for spec in filter(None, specs):
        assert spec.families <= set(FEATURES.families)
        assert describe(spec)


def test_a_study_begins_with_the_default_whatever_is_registered() -> None:
    points = [suggest(FixedTrial(params), FEATURES, 500) for params, _ in starting_points(FEATURES)]
    assert points == [DEFAULT_H2, DEFAULT_H, H2_WITHOUT_GRADIENTS, DEFAULT_T, PAPER]


def test_a_score_is_a_finite_number_for_each_row(model: ArrayModel) -> None:
    scores = score(model, texts(5, 31))
    assert scores.shape == (31,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def test_known_texts_score_higher_than_strangers(model: ArrayModel) -> None:
    known, strangers = score(model, texts(5, 200, known=6.0)), score(model, texts(6, 200))
    above = np.mean(known[:, None] > strangers) + np.mean(known[:, None] == strangers) / 2
    assert above > 0.8


def test_the_same_seed_gives_the_same_bits(spec: DetectorSpec, nulls: Nulls) -> None:
    table = texts(5, 50)
    first, second = (score(fit_detector(spec, nulls, seed=7), table) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_exported_model_passes_the_check(model: ArrayModel) -> None:
    check_model(model)


def test_a_row_scores_alike_alone_and_in_company(model: ArrayModel) -> None:
    table = texts(5, 40)
    together = score(model, table)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(score(model, rows(table, order)), together[order], rtol=1e-9)
    np.testing.assert_allclose(score(model, rows(table, slice(3, 4))), together[3:4], rtol=1e-9)


def test_no_rows_give_no_scores(model: ArrayModel) -> None:
    assert score(model, rows(texts(5, 3), slice(0, 0))).shape == (0,)


def test_the_needed_columns_are_enough_and_each_is_needed(
    spec: DetectorSpec, model: ArrayModel
) -> None:
    assert model.needed == spec.needed
    table = {name: values for name, values in texts(5, 5).items() if name in spec.needed}
    score(model, table)
    for name in spec.needed:
        fewer = {other: values for other, values in table.items() if other != name}
        with pytest.raises(SpecMismatch, match=name):
            score(model, fewer)


def test_a_table_of_another_width_is_refused(model: ArrayModel) -> None:
    if model.kind == "length":  # of any vector; the checkpoint's fingerprint says which
        return
    wider = {name: np.hstack([values, values]) for name, values in texts(5, 5).items()}
    with pytest.raises(SpecMismatch, match="width"):
        score(model, wider)


def test_a_feature_that_is_not_finite_is_refused_by_row(
    spec: DetectorSpec, model: ArrayModel
) -> None:
    for name in sorted(spec.needed):
        table = {column: values.copy() for column, values in texts(5, 9).items()}
        table[name][4] = np.nan
        with pytest.raises(UnusableScores, match="first are 4"):
            score(model, table)


def test_absurd_features_are_refused_not_ranked(model: ArrayModel) -> None:
    table = {name: values.astype(np.float64) * 1e200 for name, values in texts(5, 4).items()}
    try:
        scores = score(model, table)
    except UnusableScores:
        return
    assert np.isfinite(scores).all()


def test_a_bundle_keeps_every_bit_of_the_scores(model: ArrayModel, tmp_path: Path) -> None:
    table = texts(5, 20)
    scorer = Scorer(model, np.arange(5.0), np.arange(3.0), 1e-6)
    parts = NeighbourParts("*", ("Ada",), ("Byron",))
    written = Bundle(
        "ours", "f" * 64, "name", FeatureSpec((parts,)), scorer, scorer, 0.05, 0, {}, {}, {}
    )
    write_bundle(written, tmp_path / "bundle")
    read = read_bundle(tmp_path / "bundle")
    assert score(read.pair.model, table).tobytes() == score(model, table).tobytes()


def test_a_spec_survives_its_json(spec: DetectorSpec) -> None:
    read = DetectorSpec.from_json(spec.to_json())
    assert read.to_json() == spec.to_json()
    assert read.hash == spec.hash


def test_a_model_with_arrays_too_few_or_too_many_is_refused(model: ArrayModel) -> None:
    broken = [{**model.arrays, "more": np.zeros(1)}]
    broken += [
        {name: array for name, array in model.arrays.items() if name != left}
        for left in model.arrays
        if left != "components"
    ]
    for arrays in broken:
        with pytest.raises(BundleError):
            check_model(replace(model, arrays=arrays))


def test_a_model_of_other_numbers_is_refused(model: ArrayModel) -> None:
    with pytest.raises(BundleError, match="numbers are not"):
        check_model(replace(model, params={**model.params, "more": 1.0}))


def test_a_fit_on_too_few_texts_is_refused(spec: DetectorSpec) -> None:
    few = texts(1, 12)
    nulls = Nulls(few, few, few, few)
    if kind_named(spec.kind).fits is None:  # its direction is known: nothing to fit
        assert fit_detector(spec, nulls, seed=0).params == spec.numbers
        return
    with pytest.raises(TooFewTexts, match="12 texts"):
        fit_detector(spec, nulls, seed=0)

"""One suite that every family of features passes, those of other packages too."""

import numpy as np
import pytest
import torch

from flows.machine.settings import FeaturesTable
from tuni.detectors.bundle import Bundle, Scorer, read_bundle, write_bundle
from tuni.detectors.model import ArrayModel
from tuni.features.cost import Work, work_of
from tuni.features.extract import extract
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS, Asked
from tuni.features.registry import extractor_of, families, family_of
from tuni.features.spec import FeatureSpec
from tuni.features.work import FamilyWork
from tuni.progress import SILENT
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import PROMPTS_8, PROMPTS_24

ASKED = Asked(FeaturesTable().model_dump(), 7, None)
# As requests ask for them, but for what would take long.
SMALL = {
    "geometry": GeometrySpec(PROMPTS_8[:3], PROMPTS_24[:5]),
    "inversion": InversionSpec(restarts=2, steps=2, seed=7),
}
NAMES = ["Ada Roe", "Jürgen Müller", "Bartholomew van der Zyl", "Bo Li", "John Zyl"]


@pytest.fixture(params=families(), ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture
def spec(family):
    own = SMALL.get(family.name, family.asked(ASKED))
    return FeatureSpec(all_reference_parts(), batch=32, families={family.name: own})


def test_a_request_asks_for_it(family):
    assert type(family.asked(ASKED)) is family.spec


def test_every_template_holds_the_text_once(family, spec):
    assert spec.prompts
    assert all(prompt.count("{}") == 1 for prompt in spec.prompts)


@pytest.mark.parametrize("neighbours", [True, False])
def test_the_columns_are_the_declared_ones(tiny_target, family, spec, neighbours):
    declared = {column.name: column for column in family.columns(spec.families[family.name])}
    suffixes = ("", OTHER_LASTS, OTHER_FIRSTS) if neighbours and family.neighbours else ("",)
    table = extract(tiny_target, NAMES, spec, neighbours=neighbours)
    assert set(table.columns) == {name + suffix for name in declared for suffix in suffixes}
    for name, column in declared.items():
        assert family_of(name) == family_of(f"{name}~0.5") == family.name
        for suffix in suffixes:
            assert table.columns[name + suffix].dtype == np.float32
        width = table.columns[name].shape[1]
        assert width == 1 or not column.directed
        assert width > 4 or not column.wide


def test_what_a_search_offers_are_declared_columns(family, spec):
    own = spec.families[family.name]
    declared = {column.name for column in family.columns(own)}
    for inputs in family.inputs(own):
        assert len(inputs.options) == 1 or inputs.asks
        assert all(declared.issuperset(columns) for columns in inputs.options.values())


def test_a_text_does_not_feel_its_company(tiny_target, spec):
    together = extract(tiny_target, NAMES, spec)
    for rows in ([0], [4, 2, 1]):
        some = extract(tiny_target, [NAMES[row] for row in rows], spec)
        for name, array in some.columns.items():
            np.testing.assert_array_equal(array, together.columns[name][rows])


def test_it_repeats_bit_for_bit_and_leaves_the_global_generators_alone(tiny_target, spec):
    state, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (extract(tiny_target, NAMES[:2], spec).columns for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)
    assert torch.equal(state, torch.get_rng_state())
    assert (np.random.get_state()[1] == drawn).all()


def test_no_text_gives_empty_columns_and_is_no_work(tiny_target, family, spec):
    found = extractor_of(family)(tiny_target, (), spec.families[family.name], 32, lambda _: None)
    assert {len(array) for array in found.values()} == {0}
    work = FamilyWork(tiny_target, spec, family.name, None, SILENT, others=False)
    assert work_of(work, ()) == Work(0, 0)
    assert work_of(work, NAMES).units > 0


def test_progress_counts_every_text_once(tiny_target, family, spec):
    done = []
    extractor_of(family)(tiny_target, NAMES, spec.families[family.name], 32, done.append)
    assert sum(done) == len(NAMES)


def test_a_hash_knows_the_family_and_no_other(family, spec):
    default = FeatureSpec(spec.parts, batch=32)
    both = FeatureSpec(spec.parts, batch=32, families={**default.families, **spec.families})
    assert both.family_hash(family.name) == spec.family_hash(family.name)
    assert (both.hash == default.hash) == (both.families == default.families)
    assert spec.hash != spec.only(()).hash


def test_a_bundle_keeps_it(tmp_path, spec):
    scorer = Scorer(ArrayModel("feature", ("x",), {"sign": 1.0}), np.arange(5.0), np.ones(3), 1e-6)
    bundle = Bundle("ours", "f" * 64, "name", spec, scorer, None, 0.05, 0, {}, {}, {})
    write_bundle(bundle, tmp_path / "bundle")
    read = read_bundle(tmp_path / "bundle").feature_spec
    assert read == spec
    assert read.to_json() == spec.to_json()

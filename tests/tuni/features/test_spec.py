"""Equal specs have equal JSON and hashes, and whatever moves a feature moves a hash."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import SpecMismatch
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.hashing import canonical_json, digest
from tuni.texts.kind import NeighbourParts

WORDS = st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple)
PROMPTS = st.lists(st.text(max_size=8).map("{{}} {}".format), min_size=1, max_size=3).map(tuple)
COUNTS = st.integers(1, 64)
NUMBERS = st.floats(0, 1e6, allow_nan=False)
SPECS = st.builds(
    FeatureSpec,
    parts=st.lists(st.builds(NeighbourParts, st.text(), WORDS, WORDS), max_size=2).map(tuple),
    precision=st.sampled_from(["fp32", "bf16"]),
    batch=COUNTS,
    families=st.fixed_dictionaries(
        {},
        optional={
            "hidden": st.builds(HiddenSpec, PROMPTS, st.just((0,)), COUNTS),
            "noise": st.builds(NoiseSpec, PROMPTS, COUNTS, NUMBERS, COUNTS, COUNTS),
            "jacobian": st.builds(JacobianSpec, PROMPTS, COUNTS, COUNTS, COUNTS),
            "geometry": st.builds(
                GeometrySpec, PROMPTS, PROMPTS, st.none() | st.text(), st.just((4, 16))
            ),
            "inversion": st.builds(
                InversionSpec, restarts=COUNTS, curve=st.lists(NUMBERS, max_size=3).map(tuple)
            ),
        },
    ),
)
WHOLE = FeatureSpec(
    parts=(NeighbourParts("*", ("Ada",), ("Roe",)),),
    families=by_family(
        InversionSpec(), HiddenSpec(), NoiseSpec(), JacobianSpec(),
        GeometrySpec(("{}",), ("{}", "a photo of {}")),
    ),
)  # fmt: skip


@given(SPECS)
def test_a_spec_comes_back_from_its_json_equal(spec):
    again = FeatureSpec.from_json(spec.to_json())
    assert again == spec
    assert again.hash == spec.hash
    assert again.to_json() == spec.to_json()


@given(SPECS)
def test_json_of_another_writer_gives_the_same_spec(spec):
    other = json.dumps(json.loads(spec.to_json()), indent=2)
    assert FeatureSpec.from_json(other) == spec


@given(SPECS, SPECS)
def test_hashes_are_equal_where_specs_are_and_only_there(one, other):
    assert (one.hash == other.hash) == (one.to_json() == other.to_json())


def without(key):
    def change(content):
        del content[key]

    return change


def put(*path):
    *keys, last, value = path

    def change(content):
        for key in keys:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("batch"),
        put("unknown", 1),
        put("unknown", None),
        put("batch", "256"),
        put("batch", 256.5),
        put("batch", True),
        put("batch", None),
        put("precision", "fp16"),
        put("hidden", []),
        put("hidden", "prompts", 3),
        put("hidden", "layers", [0.5]),
        put("noise", "sigma", "x"),
        put("inversion", "augmentations", 1),
        put("parts", [{"stratum": "*"}]),
        put("parts", None),
        put("batch", 0),
        put("batch", 2**31),
        put("hidden", "neighbours", 1000),
        put("hidden", "prompts", ["a photo"]),
        put("hidden", "prompts", ["{}"] * 1000),
        put("jacobian", "directions", 10**6),
        put("noise", "sigma", float("inf")),
        put("inversion", "prompt", "{}" + "x" * 5000),
    ],
)
def test_json_that_is_no_spec_is_refused(change):
    content = json.loads(WHOLE.to_json())
    change(content)
    with pytest.raises(SpecMismatch, match=r"feature (?:spec|family): "):
        FeatureSpec.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"'])
def test_text_that_is_no_object_is_refused(text):
    with pytest.raises(SpecMismatch):
        FeatureSpec.from_json(text)


def test_a_familys_hash_moves_with_what_moves_its_columns_alone():
    noisier = replace(WHOLE, families=WHOLE.families | by_family(NoiseSpec(sigma=0.5)))
    assert noisier.family_hash("noise") != WHOLE.family_hash("noise")
    assert noisier.family_hash("hidden") == WHOLE.family_hash("hidden")
    for changed in (
        replace(WHOLE, batch=8),
        replace(WHOLE, precision="bf16"),
        replace(WHOLE, parts=()),
    ):
        for family in WHOLE.families:
            assert changed.family_hash(family) != WHOLE.family_hash(family)


def test_two_families_of_equal_settings_share_no_hash():
    assert len({WHOLE.family_hash(family) for family in WHOLE.families}) == 5


def test_families_are_those_that_are_set_and_prompts_come_once():
    assert list(WHOLE.families) == ["hidden", "noise", "jacobian", "geometry", "inversion"]
    few = WHOLE.only({"geometry", "hidden", "jacobian"})
    assert list(few.families) == ["hidden", "jacobian", "geometry"]
    assert few.of(NoiseSpec) is None
    assert few.of(HiddenSpec) == HiddenSpec()
    assert len(set(WHOLE.prompts)) == len(WHOLE.prompts)
    assert {"{}", "a photo of {}"} <= set(WHOLE.prompts)


def test_the_hashes_of_specs_in_homes_and_bundles_stay():
    """Caches, bundles and jobs are found by them."""
    assert WHOLE.hash == "2abb0ca33d977fe6c74ccb6c7de7a7570ab86f3739baeb0c5489e660ee587d9b"
    assert {name: WHOLE.family_hash(name)[:12] for name in WHOLE.families} == {
        "hidden": "a703cd550b73", "noise": "f131fcb5f2cf", "jacobian": "e0892038581e",
        "geometry": "987edf0beacb", "inversion": "063d86852be6",
    }  # fmt: skip


def test_a_spec_that_names_no_family_beside_its_own_is_read():
    """As bundles do that are older than a family."""
    content = {"parts": [], "precision": "fp32", "batch": 8, "hidden": None}
    assert not FeatureSpec.from_json(json.dumps(content)).families


def test_an_unknown_family_is_named():
    content = json.loads(WHOLE.to_json()) | {"voice": {}}
    with pytest.raises(SpecMismatch, match="family: got 'voice'"):
        FeatureSpec.from_json(json.dumps(content))


def test_a_spec_of_another_family_is_refused():
    with pytest.raises(SpecMismatch, match="hidden is a NoiseSpec"):
        FeatureSpec((), families={"hidden": NoiseSpec()})


def test_canonical_json_knows_no_order_of_keys_and_no_nan():
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})

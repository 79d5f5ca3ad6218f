"""Units count what really goes through the towers."""

import pytest

from tuni.features.cost import Speed, Work, warm_up, work_of
from tuni.features.extract import extract, family_key
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family, family_named
from tuni.features.spec import FeatureSpec
from tuni.features.work import FamilyWork
from tuni.judging.scores import KeptFeatures
from tuni.progress import SILENT
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import PROMPTS_8

SPEC = FeatureSpec(
    parts=all_reference_parts(),
    batch=64,
    families=by_family(
        HiddenSpec(),
        NoiseSpec(),
        JacobianSpec(),
        GeometrySpec(PROMPTS_8, PROMPTS_8),
        InversionSpec(restarts=3, steps=1),
    ),
)
NAMES = [f"{first} {last}" for first in ("Ada", "Bo", "Eleonora") for last in ("Roe", "Li", "Sax")]


class Counting:
    """A target that counts the positions and images it is given."""

    def __init__(self, target):
        self.target, self.positions, self.images = target, 0, 0

    def __getattr__(self, name):
        return getattr(self.target, name)

    def forward_text(self, x, ids, layers=0, shared=0):
        self.positions += len(x) * (x.shape[1] - shared)
        return self.target.forward_text(x, ids, layers, shared)

    def encode_media(self, pixels):
        self.images += len(pixels)
        return self.target.encode_media(pixels)


def work(target, family, spec=SPEC, others=False):
    return FamilyWork(target, spec, family, None, SILENT, others)


def extracted(target, family, texts):
    for _ in work(target, family).blocks(texts):
        pass


@pytest.mark.parametrize(
    ("family", "times"), [("hidden", 1), ("geometry", 1), ("jacobian", 1), ("noise", 9)]
)
def test_units_are_the_positions_of_the_forward_passes(tiny_target, family, times):
    target = Counting(tiny_target)
    extracted(target, family, NAMES)
    assert work_of(work(tiny_target, family), NAMES).units * times == target.positions


def test_units_of_the_inversion_are_images_of_whole_passes(tiny_target):
    target = Counting(tiny_target)
    extracted(target, "inversion", NAMES)
    units = work_of(work(tiny_target, "inversion"), NAMES).units
    assert units >= 3 * len(NAMES)
    assert target.images == units * (SPEC.of(InversionSpec).steps + 1)


def test_no_text_is_no_work(tiny_target):
    nothing = Work(0, 0)
    assert all(work_of(work(tiny_target, family), ()) == nothing for family in SPEC.families)
    assert Speed(1.0, 2.0, 3.0).seconds(nothing) == 0


def test_many_texts_are_counted_by_a_sample(tiny_target):
    many = [f"Ada {i % 10}{i // 10}" for i in range(45_000)]
    spec = FeatureSpec((), batch=256, families=by_family(GeometrySpec(("{}",), ("{}",))))
    counted = work(tiny_target, "geometry", spec)
    exact = sum(
        work_of(counted, many[start : start + 15_000]).units for start in range(0, 45_000, 15_000)
    )
    found = work_of(counted, many).units
    assert found == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("family", SPEC.families)
def test_a_warm_up_gives_a_rate_for_every_family(tiny_target, family):
    speed = warm_up(work(tiny_target, family, others=family_named(family).neighbours), NAMES)
    assert speed.seconds(Work(1, 1)) > 0
    assert speed.keep_s < 1e-4  # there is no cache


def test_what_a_warm_up_computed_is_kept(tiny_target):
    cache = KeptFeatures(None)
    speed = warm_up(work(tiny_target, "hidden"), NAMES[:4], cache)
    assert speed.keep_s > 0
    key = family_key(tiny_target, SPEC, "hidden", others=False)
    kept, found = (
        cache.get(key, NAMES),
        extract(tiny_target, NAMES[:4], SPEC, families=["hidden"], neighbours=False),
    )
    assert list(kept) == NAMES[:4]
    for row, name in enumerate(NAMES[:4]):
        assert (kept[name]["hidden.0"] == found.columns["hidden.0"][row]).all()

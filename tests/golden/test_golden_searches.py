"""What searches ask stays as it is: a study in a home goes on only with the same parameters.

Where they change, `SPACE_REVISION` of tuni/detectors/search.py is raised and the file written anew.
"""

from pathlib import Path

import numpy as np

from tuni.detectors.registry import BUILT_IN, kind_named
from tuni.detectors.search import Search
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec

EXPECTED = Path(__file__).parent / "searches.txt"
FEATURES = FeatureSpec(
    (),
    families=by_family(
        HiddenSpec(), NoiseSpec(), JacobianSpec(), InversionSpec(),
        GeometrySpec(bank_digest="b" * 64),
    ),
)  # fmt: skip


class Dice:
    """Answers by chance, and notes what was asked, once each."""

    def __init__(self, seed):
        self.draw, self.asked = np.random.default_rng(seed), {}

    def choice(self, name, options):
        self.asked[name] = " | ".join(map(str, options))
        return options[self.draw.integers(len(options))]

    def number(self, name, low, high, *, log=False, step=None):
        by = f" by {step:g}" if step else ""
        self.asked[name] = f"{low:g} to {high:g}{by}{' log' if log else ''}"
        return low

    def whole(self, name, low, high, *, log=False):
        self.asked[name] = f"{low} to {high} whole{' log' if log else ''}"
        return low


def asked_by(kind, less_parts=False):
    """Every parameter of a kind in the one order that all its suggestions keep."""
    order = []
    for seed in range(400):
        dice, place = Dice(seed), -1
        kind_named(kind).suggest(Search(dice, FEATURES, 5000, less_parts))
        for line in (f"{name} = {values}" for name, values in dice.asked.items()):
            if line not in order:
                order.insert(place + 1, line)
            assert order.index(line) > place, line
            place = order.index(line)
    return order


def test_searches_ask_what_they_asked():
    lines = [f"detector = {' | '.join(BUILT_IN)}"]
    for kind in BUILT_IN:
        lines += [kind, *(f"  {line}" for line in asked_by(kind))]
    for kind in ("sum", "length", "knn"):
        lines += [f"{kind}, less parts", *(f"  {line}" for line in asked_by(kind, True))]
    assert lines == EXPECTED.read_text(encoding="utf-8").splitlines()

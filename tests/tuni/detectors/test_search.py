"""What a search offers follows the features that there are."""

import pytest

from tuni.detectors.search import Search, is_costly, sum_offers
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec

WHOLE = FeatureSpec(
    (),
    families=by_family(
        HiddenSpec(), NoiseSpec(), JacobianSpec(), GeometrySpec(bank_digest="b" * 64),
        InversionSpec(),
    ),
)  # fmt: skip
PLAIN = FeatureSpec((), families=by_family(HiddenSpec()))


class Table:
    """Answers from a table, and the first option where it has none."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def choice(self, name, options):
        self.asked.append(name)
        return self.answers.get(name, options[0])

    def number(self, name, low, high, *, log=False, step=None):
        self.asked.append(name)
        return self.answers.get(name, low)

    whole = number


def search(spec, **answers):
    return Search(Table(**answers), spec, 1000)


def test_directed_columns_are_those_of_the_features():
    assert search(PLAIN).directed == ["hidden.norm"]
    assert search(WHOLE).directed == [
        "hidden.norm", "noise", "jacobian_relative", "jacobian_absolute",
        "geometry.consistency_8", "geometry.consistency_24", "geometry.bank_residual_4",
        "geometry.bank_residual_16", "geometry.bank_max", "geometry.bank_mean",
        "geometry.bank_gap", "inversion.S",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "columns"),
    [
        ({}, ("hidden.0",)),
        ({"hidden.layer": 1, "lambda": 0.5}, ("hidden.1~0.5",)),
        ({"inputs": "embedding", "lambda": 0.5}, ("geometry.embedding",)),
        ({"inputs": "inversion", "inversion.spread": "D_cos"}, ("inversion.S", "inversion.D_cos")),
        ({"inputs": "inversion.curve"}, ("inversion.curve",)),
    ],
)
def test_inputs_are_the_columns_of_the_chosen_family(answers, columns):
    assert search(WHOLE, **answers).inputs() == columns


def test_directed_inputs_leave_out_what_few_texts_have():
    columns = search(WHOLE, inputs="directed", **{"lambda": 0.25}).inputs()
    assert columns[:2] == ("hidden.norm~0.25", "noise~0.25")
    assert not any(is_costly(name) for name in columns)
    assert is_costly("inversion.S")


def test_a_sum_is_offered_one_column_of_each_family_but_of_costly_ones():
    assert list(sum_offers(WHOLE)) == ["sum.jacobian", "sum.noise", "sum.norm", "sum.geometry"]
    nothing = search(WHOLE)
    assert nothing.addends() == ()
    assert "lambda" not in nothing.ask.asked
    chosen = {"sum.geometry": "geometry.bank_gap", "sum.noise": True, "lambda": 0.125}
    assert search(WHOLE, **chosen).addends() == ("noise~0.125", "geometry.bank_gap")

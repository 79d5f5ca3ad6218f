"""Kinds are found by name; a second one of a name, and a half one, are refused when they come."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tuni.detectors.kind import DetectorKind, Number
from tuni.detectors.registry import BUILT_IN, fit_of, kind_named, kind_names, register_kind
from tuni.errors import RequestError

TOY = replace(kind_named("knn"), name="toy")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_kind_is_known_by_its_name_and_has_its_fit(name: str) -> None:
    assert kind_named(name).name == name
    assert (fit_of(kind_named(name)) is None) == (name in ("feature", "length"))


@pytest.mark.parametrize("name", ["magic", "", "os", "vectors", "../knn"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="expected one of sum, pair_residual"):
        kind_named(name)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (kind_named("knn"), "is there already"),
        (replace(TOY, name="Toy kind"), "name of lower-case"),
        (replace(TOY, words=""), "words"),
        (SimpleNamespace(name="toy"), "a DetectorKind of that name"),
        (replace(TOY, check=None), "check"),
        (replace(TOY, score=None), "score"),
        (replace(TOY, reads="rows"), "reads"),
        (replace(TOY, fits="tuni.detectors.fits.toy"), "module tuni.detectors.fits.toy"),
        (replace(TOY, fits="no.such.module"), "module no.such.module"),
        (replace(TOY, fits=None), "fit for the numbers"),
        (replace(TOY, params={"x": Number(2.0, 0.0, 1.0)}), "default of x within its bounds"),
    ],
)
def test_a_second_or_half_kind_is_refused(kind: DetectorKind, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        register_kind(kind)
    assert kind_names() == BUILT_IN


def test_a_kind_whose_module_has_no_fit_is_an_error_at_the_first_fit() -> None:
    with pytest.raises(RequestError, match="no function fit"):
        fit_of(replace(TOY, fits="tuni.detectors.fits.standard"))

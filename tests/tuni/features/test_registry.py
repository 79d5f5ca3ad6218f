"""Families are found by name and by column; a second one of a name, and a half one, are refused."""

from dataclasses import dataclass, replace

import pytest

from tuni.errors import RequestError, SpecMismatch
from tuni.features.registry import (
    BUILT_IN,
    by_family,
    extractor_of,
    families,
    family_named,
    family_of,
    register_family,
)


@dataclass(frozen=True)
class ToySpec:
    length: int = 3


TOY = replace(
    family_named("noise"), name="toy", spec=ToySpec, neighbours=False, asked=lambda _asked: None
)


@pytest.mark.parametrize(
    ("column", "family"),
    [
        ("hidden.0", "hidden"),
        ("hidden.norm~0.375", "hidden"),
        ("noise", "noise"),
        ("jacobian_relative~0.5", "jacobian"),
        ("geometry.bank_residual_16", "geometry"),
        ("inversion.S", "inversion"),
    ],
)
def test_a_column_belongs_to_its_family(column, family):
    assert family_of(column) == family


@pytest.mark.parametrize("column", ["", "hiddenness", "noises", "x.hidden", "~0.5"])
def test_a_column_of_no_family_is_refused(column):
    with pytest.raises(SpecMismatch, match="unknown"):
        family_of(column)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_family_is_known_by_its_name_and_has_its_extractor(name):
    assert family_named(name).name == name
    assert callable(extractor_of(family_named(name)))


@pytest.mark.parametrize(
    ("family", "why"),
    [
        (family_named("noise"), "is there already"),
        (replace(TOY, name="toy_two"), "a name without underscores"),
        (replace(TOY, columns=None), "columns"),
        (replace(TOY, prompts=None), "prompts"),
        (replace(TOY, asked=None), "asked"),
        (replace(TOY, effort="none"), "effort"),
        (replace(TOY, spec=int), "a dataclass as spec"),
        (replace(TOY, neighbours=True), "spec.neighbours"),
        (replace(TOY, reads_bank=True), "spec.bank_digest"),
        (replace(TOY, extractor="tuni.features.extractors.toy"), "module tuni.features.extractors"),
        (replace(TOY, extractor="no.such.module"), "module no.such.module"),
    ],
)
def test_a_second_or_half_family_is_refused(family, why):
    with pytest.raises(RequestError, match=why):
        register_family(family)
    assert tuple(family.name for family in families()) == BUILT_IN


def test_a_family_whose_module_has_no_extraction_is_an_error_at_first_use():
    with pytest.raises(RequestError, match="no function columns"):
        extractor_of(replace(TOY, extractor="tuni.features.prompts"))


def test_a_spec_of_no_family_is_refused():
    with pytest.raises(SpecMismatch, match="ToySpec"):
        by_family(ToySpec())

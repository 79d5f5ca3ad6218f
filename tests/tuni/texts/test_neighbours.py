"""Neighbours exchange one part, never for itself, and come from the name's own stratum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuni.errors import SpecMismatch, TextError
from tuni.texts.kind import NeighbourParts
from tuni.texts.names import parse_name
from tuni.texts.neighbours import neighbours, parts_for
from tuni.texts.reference_parts import all_reference_parts, reference_parts

PARTS = NeighbourParts("latin/xx", ("Ada", "Bo", "Cy", "Di"), ("Roe", "Poe", "Lee", "Fox"))


def test_other_parts_are_put_in_and_the_own_one_is_skipped():
    lasts, firsts = neighbours(parse_name("Bo Lee"), PARTS, 3)
    assert lasts == ("Bo Roe", "Bo Poe", "Bo Fox")
    assert firsts == ("Ada Lee", "Cy Lee", "Di Lee")


def test_own_part_is_skipped_however_it_is_written():
    _, firsts = neighbours(parse_name("\uff22\uff2f Zyl"), PARTS, 3)
    assert firsts == ("Ada Zyl", "Cy Zyl", "Di Zyl")


def test_particles_stay_with_the_family_part():
    lasts, firsts = neighbours(parse_name("Bo van der Zyl"), PARTS, 1)
    assert (lasts, firsts) == (("Bo Roe",), ("Ada van der Zyl",))


def test_too_few_parts_are_refused():
    with pytest.raises(SpecMismatch, match="4 neighbours and a spare"):
        neighbours(parse_name("Ada Zyl"), PARTS, 4)


def test_one_part_has_no_neighbours():
    with pytest.raises(TextError):
        neighbours(parse_name("Madonna"), PARTS, 2)


def test_stratum_then_script_then_the_rest():
    name = parse_name("Jürgen Müller")
    own = NeighbourParts(name.stratum, (), ())
    script, rest = NeighbourParts("latin/*", (), ()), NeighbourParts("*", (), ())
    assert parts_for(name, {p.stratum: p for p in (own, script, rest)}) is own
    assert parts_for(name, {p.stratum: p for p in (script, rest)}) is script
    assert parts_for(name, {"*": rest}) is rest
    with pytest.raises(SpecMismatch, match="no neighbour parts"):
        parts_for(name, {})


REFERENCE = {entry.stratum: entry for entry in all_reference_parts()}


@given(
    st.sampled_from(sorted(REFERENCE)), st.integers(0, 11), st.integers(0, 11), st.integers(1, 8)
)
def test_shipped_parts_give_distinct_neighbours_to_every_common_name(stratum, first, last, count):
    parts = reference_parts(stratum, 12)
    template = parse_name("王伟" if stratum.startswith("han") else "Ada Roe")
    name = parse_name(
        parse_name(template.with_first(parts.firsts[first])).with_last(parts.lasts[last])
    )
    if not name.last:
        return
    lasts, firsts = neighbours(name, parts_for(name, REFERENCE), count)
    assert len({*lasts, *firsts, name.text}) == 2 * count + 1

"""Common parts that stand in for a name's own."""

from tuni.texts.reference_parts import all_reference_parts, reference_parts
from tuni.texts.text import canonical, script_of


def test_reference_parts_begin_with_the_most_common() -> None:
    assert reference_parts("latin/en_US", 2).lasts == ("Smith", "Johnson")
    assert reference_parts("latin/de_DE", 2).lasts == ("Müller", "Schmidt")
    assert reference_parts("han/zh_CN", 2).lasts == ("王", "李")


def test_unknown_strata_are_served_by_english_and_keep_their_name() -> None:
    english = reference_parts("latin/en_US", 8)
    for stratum in ("*", "tamil/*", "latin/xx_XX", "latin/*"):
        parts = reference_parts(stratum, 8)
        assert parts.stratum == stratum
        assert (parts.firsts, parts.lasts) == (english.firsts, english.lasts)


def test_reference_parts_are_plain_distinct_and_in_the_script_of_their_stratum() -> None:
    entries = all_reference_parts()
    assert "*" in {entry.stratum for entry in entries}
    for entry in entries:
        script = entry.stratum.split("/")[0]
        for parts in (entry.firsts, entry.lasts):
            assert len({canonical(part) for part in parts}) == 12
            assert all(" " not in part and "." not in part for part in parts)
            assert script == "*" or {script_of(part) for part in parts} == {script}

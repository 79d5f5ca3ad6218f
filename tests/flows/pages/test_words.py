"""Words about a whole list: small counts stay at home."""

from dataclasses import replace

from flows.pages.words import (
    SharedEvidence,
    member_words,
    series_words,
    shared_evidence,
    shared_member_words,
)
from tuni.statistics.list_evidence import ListEvidence

TOLD = ListEvidence(
    texts=200,
    at_least=19,
    stranger_fpr=0.07,
    known_nonmembers=0,
    at_least_stated=19,
    seen=0.16,
    seen_low=0.08,
    seen_high=0.25,
)


def test_owner_reads_the_bound_with_what_it_allows_and_the_share_with_its_interval() -> None:
    bound, share = member_words(TOLD)
    assert "at least 19" in bound
    assert "stated allowance" in bound
    assert "16" in share
    assert "25" in share
    assert "30 known non-members" in member_words(replace(TOLD, known_nonmembers=30))[0]
    assert member_words(None) == [
        "nothing is said of the list as a whole: no name was judged but those that took part in "
        "choosing the detector (flag selected_on)"
    ]


def test_who_took_part_in_choosing_the_detector_is_counted_for_the_owner_alone() -> None:
    partly = replace(TOLD, selected_on=37)
    assert "37 names that took part in choosing" in member_words(partly)[-1]
    shared = shared_member_words(SharedEvidence.of(partly))[-1]
    assert shared.startswith("Left out of these: names that took part in choosing")
    assert "37" not in shared


def test_bound_of_fewer_than_five_is_shown_to_its_owner_alone() -> None:
    few = replace(TOLD, at_least=3, seen=0.015)
    assert "at least 3" in member_words(few)[0]
    shared = SharedEvidence.of(few)
    assert not any("3" in line for line in shared_member_words(shared))
    assert set(shared_evidence(shared)) == {"list_nonmember_fpr_allowed"}


def test_audits_again_and_again_say_how_often_a_stranger_is_found_at_least_once() -> None:
    assert series_words(1, 0.05) == []
    (line,) = series_words(12, 0.05)
    assert line.startswith("audit 12 of this list")
    assert "in 16 % of cases" in line


def test_shared_figures_are_whole_percent() -> None:
    shared = SharedEvidence.of(replace(TOLD, seen=0.16251))
    figures = shared_evidence(shared)
    assert figures["list_names_known_at_least"] == 19
    assert figures["list_seen_share"] == 0.16
    assert len(shared_member_words(shared)) == 2
    assert SharedEvidence.of(None) is None
    assert shared_member_words(None) == []
    assert shared_evidence(None) == {}

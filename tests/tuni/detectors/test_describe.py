"""Detectors in words that a reader can tell apart."""

import pytest

from tuni.detectors.defaults import DEFAULT_H, DEFAULT_T, PAPER, SINGLE
from tuni.detectors.describe import describe
from tuni.detectors.registry import kind_named, kind_names
from tuni.detectors.spec import DetectorSpec


def test_the_detectors_of_docs_have_their_own_words():
    assert describe(DEFAULT_H).startswith("H: ")
    assert describe(DEFAULT_T).startswith("T: ")
    assert "paper" in describe(PAPER)
    assert len({describe(spec) for spec in (DEFAULT_H, DEFAULT_T, PAPER, SINGLE)}) == 4


@pytest.mark.parametrize(
    "kind", [name for name in kind_names() if kind_named(name).reads == "columns"]
)
def test_a_vector_detector_says_kind_columns_and_null(kind):
    words = describe(DetectorSpec(kind, ("hidden.0~0.5",), "gibberish"))
    assert words == f"{kind_named(kind).words} on hidden.0~0.5, fitted on gibberish"


def test_features_and_sums_name_their_columns():
    norm, noise = (DetectorSpec("feature", (name,)) for name in ("hidden.norm", "noise~0.25"))
    pair = DetectorSpec("pair_residual", ("hidden.1",), params=(("ridge", 2.0), ("spread", 0.1)))
    assert describe(norm) == "hidden.norm"
    assert describe(DetectorSpec("sum", parts=(norm, noise))) == "hidden.norm + noise~0.25"
    assert describe(DetectorSpec("sum", parts=(pair, norm))).startswith(
        "pair residual T of hidden.1 + "
    )


def test_a_vote_names_its_voters_and_how_many_must_agree():
    voters = tuple(DetectorSpec(kind, ("hidden.0",), "gibberish") for kind in ("lof", "knn"))
    vote = DetectorSpec("vote", params=(("alpha", 0.05), ("needed", 2.0)), parts=voters)
    assert describe(vote) == "vote of local outlier factor, kNN distance (2 needed)"

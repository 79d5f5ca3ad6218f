"""A list's null: decoys that are not on the list, and p-values that can be derived again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tuni.errors import BundleError, TextError, UnusableScores
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions, ListNull, decoys_needed, p_values
from tuni.lists.shape import ListShape
from tuni.texts.kind import text_kind
from tuni.texts.names import parse_name

NAME = text_kind("name")

TEXTS = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Cher"]
FEW = JudgeOptions(decoy_count=60)


@pytest.fixture(scope="module")
def null(bundle, tiny_target):
    judge, shape = Judge(bundle, tiny_target), ListShape.of(TEXTS, NAME)
    return judge.null_of(judge.draw_decoys(shape, FEW, lambda _texts: ()), FEW)


def test_a_null_holds_no_text_and_comes_back_from_json_to_the_last_bit(null):
    text = null.to_json()
    assert not any(part in text for name in TEXTS for part in name.split())
    back = ListNull.from_json(text)
    assert back.to_json() == text
    np.testing.assert_array_equal(back.pair.decoy_scores, null.pair.decoy_scores)
    assert (back.check, back.withheld, back.decoys) == (null.check, null.withheld, null.decoys)
    assert (np.diff(back.single.decoy_scores) >= 0).all()


def test_kept_scores_give_the_p_values_of_the_judgement_again(bundle, tiny_target, null):
    rows = Judge(bundle, tiny_target).judge(TEXTS, null)
    single = [not parse_name(text).last for text in TEXTS]
    again = ListNull.from_json(null.to_json())
    p_decoy, p_gibberish = p_values(bundle, again, [row.score for row in rows], single)
    assert p_decoy.tolist() == [row.p_decoy for row in rows]
    assert p_gibberish.tolist() == [row.p_gibberish for row in rows]


def test_scores_of_a_kind_that_the_null_does_not_know_are_refused(bundle, null):
    with pytest.raises(TextError, match="row 2"):
        p_values(bundle, replace(null, single=None), [1.0, 2.0], [False, True])
    with pytest.raises(UnusableScores):
        p_values(bundle, null, [1.0, 2.0], [False])
    with pytest.raises(UnusableScores):
        p_values(bundle, null, [np.nan], [False])


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"pair": {"size": 0, "decoy_scores": []}},
        {"pair": {"size": 3, "decoy_scores": [2.0, 1.0]}},
        {"pair": {"size": 3, "decoy_scores": ["x"]}},
        {"check": {"auc": 0.5}},
        {"more": 1},
    ],
)
def test_a_damaged_null_is_refused(null, change):
    with pytest.raises(BundleError, match="list null"):
        ListNull.from_json(json.dumps(json.loads(null.to_json()) | change))


def test_what_is_no_null_is_refused():
    for text in ("", "[]", "null", "{}", "{"):
        with pytest.raises(BundleError, match="list null"):
            ListNull.from_json(text)


@pytest.mark.parametrize(("point", "needed"), [(0.05, 19), (0.1, 9), (0.2, 4), (0.001, 999)])
def test_decoys_needed_are_the_fewest_that_reach_the_operating_point(point, needed):
    assert decoys_needed(point) == needed
    assert 1 / (needed + 1) <= point + 1e-12 < 1 / needed

"""A list's null: decoys that are not on the list, and p-values that can be derived again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tuni.errors import BundleError, TextError, TooFewTexts, UnusableScores
from tuni.judging.judge import JudgeOptions, judge, judge_block
from tuni.judging.null import ListNull, decoys_needed, list_null, p_values
from tuni.lists.shape import ListShape
from tuni.texts.names import parse_name
from tuni.texts.text import canonical

TEXTS = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Cher"]
FEW = JudgeOptions(decoy_count=60)


def nothing(_texts):
    return ()


@pytest.fixture(scope="module")
def null(bundle, tiny_target):
    return list_null(bundle, tiny_target, ListShape.of(TEXTS), FEW, on_list=nothing)


class Seen:
    """A cache that only notes which texts were extracted."""

    def __init__(self):
        self.texts = set()

    def get(self, family_key, texts):
        return {}

    def put(self, family_key, texts, columns):
        self.texts |= {canonical(text) for text in texts}


# Every pair of these parts is on the list, and a recombined pair therefore mostly is, too.
DENSE = [f"Q{one}xx Zz{other}qx" for one in "abcdefgh" for other in "abcdefgh"]


def test_decoys_from_a_sample_are_held_against_the_whole_list(bundle, tiny_target):
    everybody = {canonical(text) for text in DENSE}
    shape = ListShape.of(DENSE, sample=20)

    def on_list(texts):
        return [row for row, text in enumerate(texts) if canonical(text) in everybody]

    careless, careful = Seen(), Seen()
    list_null(bundle, tiny_target, shape, FEW, on_list=nothing, cache=careless)
    null = list_null(bundle, tiny_target, shape, FEW, on_list=on_list, cache=careful)
    assert careless.texts & everybody
    assert not careful.texts & everybody
    assert null.decoys == len(careful.texts) == 60
    assert null.size == len(DENSE)


def test_of_a_list_that_is_its_own_sample_nobody_is_asked(bundle, tiny_target, null):
    def on_list(texts):
        raise AssertionError

    assert (
        list_null(bundle, tiny_target, ListShape.of(TEXTS), FEW, on_list=on_list).to_json()
        == null.to_json()
    )


def test_a_null_holds_no_text_and_comes_back_from_json_to_the_last_bit(null):
    text = null.to_json()
    assert not any(part in text for name in TEXTS for part in name.split())
    back = ListNull.from_json(text)
    assert back.to_json() == text
    np.testing.assert_array_equal(back.pair.decoy_scores, null.pair.decoy_scores)
    assert (back.check, back.withheld, back.decoys) == (null.check, null.withheld, null.decoys)
    assert (np.diff(back.single.decoy_scores) >= 0).all()


def test_kept_scores_give_the_p_values_of_the_judgement_again(bundle, tiny_target, null):
    rows = judge_block(bundle, tiny_target, TEXTS, null)
    single = [not parse_name(text).last for text in TEXTS]
    again = ListNull.from_json(null.to_json())
    p_decoy, p_gibberish = p_values(bundle, again, [row.score for row in rows], single)
    assert p_decoy.tolist() == [row.p_decoy for row in rows]
    assert p_gibberish.tolist() == [row.p_gibberish for row in rows]
    verdicts = judge(bundle, tiny_target, TEXTS, FEW)
    assert p_decoy.tolist() == [row.p_decoy for row in verdicts.rows]


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


def test_a_list_without_a_text_to_judge_has_no_null(bundle, tiny_target):
    for shape in (ListShape.of([]), ListShape.of(["Cher"])):
        with pytest.raises(TextError, match="no text"):
            list_null(replace(bundle, single=None), tiny_target, shape, FEW, on_list=nothing)


def test_too_few_decoys_for_the_operating_point_are_refused(bundle, tiny_target):
    options = JudgeOptions(decoy_count=10)
    with pytest.raises(TooFewTexts, match="10, no p-value"):
        list_null(bundle, tiny_target, ListShape.of(TEXTS), options, on_list=nothing)


@pytest.mark.parametrize(("point", "needed"), [(0.05, 19), (0.1, 9), (0.2, 4), (0.001, 999)])
def test_decoys_needed_are_the_fewest_that_reach_the_operating_point(point, needed):
    assert decoys_needed(point) == needed
    assert 1 / (needed + 1) <= point + 1e-12 < 1 / needed

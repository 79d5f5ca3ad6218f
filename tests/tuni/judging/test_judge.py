"""The core: texts against a list's null, each on its own."""

from collections import Counter
from dataclasses import replace

import pytest

from tuni.errors import FingerprintMismatch, TextError, TooFewTexts
from tuni.judging.judge import Judge, ListDecoys
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_texts
from tuni.lists.shape import ListShape
from tuni.statistics.p_values import q_values
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

NAME = text_kind("name")

NAMES = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Di Vance", "Ed Wold", "Flo Yarrow"]
MIXED = [*NAMES, "Cher"]
FEW = JudgeOptions(decoy_count=60)
LONG = "xqzj" * 12


def nothing(_texts):
    return ()


def null_of(judge: Judge, shape: ListShape, options=FEW, on_list=nothing):
    return judge.null_of(judge.draw_decoys(shape, options, on_list), options)


@pytest.fixture(scope="module")
def judge(bundle, tiny_target):
    return Judge(bundle, tiny_target)


@pytest.fixture(scope="module")
def null(judge):
    return null_of(judge, ListShape.of(MIXED, NAME))


def test_a_list_judged_in_blocks_gets_the_verdicts_of_the_whole_list(judge, null):
    rows = [row for start in range(0, 8, 3) for row in judge.judge(MIXED[start : start + 3], null)]
    q = q_values(Counter(row.p_decoy for row in rows))
    whole = judge_texts(judge, MIXED, FEW)
    columns = ("score", "p_decoy", "p_gibberish", "q_value", "flags")
    assert [tuple(record[name] for name in columns) for record in whole.records()] == [
        (row.score, row.p_decoy, row.p_gibberish, q[row.p_decoy], " ".join(row.flags))
        for row in rows
    ]
    assert whole.null.to_json() == null.to_json()


def test_a_row_of_a_block_depends_on_no_other_row(judge, null):
    together = judge.judge([NAMES[2], "Cher", NAMES[0]], null)
    assert together[:1] == judge.judge([NAMES[2]], null)
    assert together[::-1] == judge.judge([NAMES[0], "Cher", NAMES[2]], null)
    assert judge.judge([], null) == ()


def test_rows_of_a_block_that_chose_the_detector_are_flagged(judge, null):
    rows = judge.judge(NAMES[:3], null, selected_on={1})
    assert [row for row, judged in enumerate(rows) if "selected_on" in judged.flags] == [1]


def test_a_block_is_refused_where_it_cannot_be_judged(judge, null, tiny_target):
    pairs_only = Judge(replace(judge.bundle, single=None), tiny_target)
    with pytest.raises(TextError, match="row 1"):
        pairs_only.judge([NAMES[0], "Cher"], null)
    with pytest.raises(TextError, match="row 2"):
        judge.judge([NAMES[0], "Cher"], replace(null, single=None))
    with pytest.raises(TextError, match="control"):
        judge.judge(["Bo\x07 Tarn"], null)


def test_another_checkpoint_is_refused(bundle, tiny_target):
    with pytest.raises(FingerprintMismatch, match="ffffffffffff"):
        Judge(replace(bundle, fingerprint="f" * 64), tiny_target)


def test_names_of_ordinary_length_are_scorable(judge):
    texts = ["Ada Roe", "Jürgen Müller", "王小明", "Cher", "Bartholomew van der Zyl"]
    assert judge.unscorable(texts) == {}


def test_each_unscorable_row_has_its_reason_in_order_and_unquoted(judge, tiny_target):
    texts = ["Ada Roe", "Zebulon", f"Zebulon {LONG}", "Zebulon@mail.example"]
    reasons = Judge(replace(judge.bundle, single=None), tiny_target).unscorable(texts)
    assert list(reasons) == [1, 2, 3]
    assert "one part" in reasons[1]
    assert "tokens" in reasons[2]
    assert "e-mail" in reasons[3]
    assert not any("Zebulon" in why or LONG in why for why in reasons.values())
    assert list(judge.unscorable(texts)) == [2, 3]


# Every pair of these parts is on the list, and a recombined pair therefore mostly is, too.
DENSE = [f"Q{first}xx Zz{last}qx" for first in "abcdefgh" for last in "abcdefgh"]


def test_decoys_from_a_sample_are_held_against_the_whole_list(judge):
    everybody = {canonical(text) for text in DENSE}
    shape = ListShape.of(DENSE, NAME, sample=20)

    def on_list(texts):
        return [row for row, text in enumerate(texts) if canonical(text) in everybody]

    careless = judge.draw_decoys(shape, FEW, nothing)
    careful = judge.draw_decoys(shape, FEW, on_list)
    assert {canonical(text) for text in careless.pair} & everybody
    assert not {canonical(text) for text in careful.pair} & everybody
    assert len(careful.pair) == 60
    assert judge.null_of(careful, FEW).size == len(DENSE)


def test_of_a_list_that_is_its_own_sample_nobody_is_asked(judge):
    def on_list(_texts):
        raise AssertionError

    drawn = judge.draw_decoys(ListShape.of(MIXED, NAME), FEW, on_list)
    assert (len(drawn.pair), len(drawn.single)) == (60, 60)


def test_decoys_that_the_model_cannot_read_whole_are_left_out(judge):
    shape = ListShape.of([f"Ada {LONG}", "Bo Tarn", "Cy Umber"], NAME)
    drawn = judge.draw_decoys(shape, FEW, nothing).pair
    assert drawn
    assert not any(LONG in text for text in drawn)


def test_a_list_without_a_text_to_judge_has_no_null(judge, tiny_target):
    pairs_only = Judge(replace(judge.bundle, single=None), tiny_target)
    for shape in (ListShape.of([], NAME), ListShape.of(["Cher"], NAME)):
        with pytest.raises(TextError, match="no text"):
            null_of(pairs_only, shape)


def test_too_few_decoys_for_the_operating_point_are_refused(judge):
    with pytest.raises(TooFewTexts, match="10, no p-value"):
        null_of(judge, ListShape.of(MIXED, NAME), JudgeOptions(decoy_count=10))
    with pytest.raises(TooFewTexts, match="0, no p-value"):
        judge.null_of(ListDecoys(ListShape.of(MIXED, NAME)), FEW)

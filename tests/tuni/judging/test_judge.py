"""Verdicts: of the text, the bundle and the list's people alone, and of nothing else."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle
from tuni.errors import FingerprintMismatch, TextError, TooFewTexts
from tuni.judging.judge import JudgeOptions, judge, judge_block
from tuni.judging.null import list_null
from tuni.lists.shape import ListShape
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE, WITHHELD, q_values
from tuni.texts.names import reference_parts

NAMES = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Di Vance", "Ed Wold", "Flo Yarrow"]
FEW = JudgeOptions(decoy_count=60)
BARE = JudgeOptions(list_decoys=False)


def calibrated(bundle: Bundle, scores) -> Bundle:
    scorer = replace(bundle.pair, decoy_scores=np.sort(np.asarray(scores, dtype=np.float64)))
    return replace(bundle, pair=scorer)


@pytest.fixture(scope="module")
def verdicts(bundle, tiny_target):
    return judge(bundle, tiny_target, NAMES, FEW, model_version="4")


@pytest.mark.parametrize("options", [FEW, BARE], ids=["list decoys", "bundle alone"])
def test_the_order_of_the_rows_moves_no_verdict(bundle, tiny_target, options):
    texts = [*NAMES, "Cher"]
    forth = judge(bundle, tiny_target, texts, options).rows
    back = judge(bundle, tiny_target, texts[::-1], options).rows
    assert back[::-1] == forth


def test_duplicates_get_equal_verdicts_and_count_once(bundle, tiny_target, verdicts):
    spellings = [NAMES[0].upper(), f"  {NAMES[0]} ", NAMES[0]]
    more = judge(bundle, tiny_target, [*NAMES, *spellings[2:], NAMES[0]], FEW)
    assert more.rows[: len(NAMES)] == verdicts.rows
    assert more.rows[-1] == more.rows[-2] == verdicts.rows[0]
    mixed = judge(bundle, tiny_target, [*spellings, *NAMES[1:]], FEW).rows
    assert len({replace(row, text="") for row in mixed[:3]}) == 1
    assert [row.text for row in mixed[:3]] == spellings


def test_the_same_call_gives_the_same_verdicts(bundle, tiny_target, verdicts):
    assert judge(bundle, tiny_target, NAMES, FEW, model_version="4") == verdicts


def test_a_text_keeps_its_bundles_p_in_other_company(bundle, tiny_target):
    alone = judge(bundle, tiny_target, NAMES[:1], BARE).rows[0]
    together = judge(bundle, tiny_target, NAMES, BARE).rows[0]
    assert (alone.score, alone.p_decoy) == (together.score, together.p_decoy)


def test_rows_say_what_they_rest_on(bundle, verdicts):
    record = verdicts.records()[2]
    assert record["text"] == NAMES[2]
    assert record["model_version"] == "4"
    assert record["fingerprint"] == bundle.fingerprint
    assert record["operating_point"] == bundle.operating_point
    assert sum(verdicts.counts().values()) == len(NAMES)
    assert 0 < verdicts.decoys <= 60
    assert verdicts.check is not None


def test_of_two_p_values_the_larger_one_counts(bundle, tiny_target, verdicts):
    bare = judge(bundle, tiny_target, NAMES, BARE).rows
    assert all(row.p_decoy >= other.p_decoy for row, other in zip(verdicts.rows, bare, strict=True))
    lenient = calibrated(bundle, np.full(399, -1e6))
    strict = calibrated(bundle, np.full(399, 1e6))
    own = judge(lenient, tiny_target, NAMES, FEW).rows
    assert {row.p_decoy for row in judge(lenient, tiny_target, NAMES, BARE).rows} == {1 / 400}
    assert min(row.p_decoy for row in own) >= 1 / 61
    assert {row.p_decoy for row in judge(strict, tiny_target, NAMES, FEW).rows} == {1.0}


def test_words_follow_the_operating_point(bundle, tiny_target):
    found = judge(calibrated(bundle, np.full(399, -1e6)), tiny_target, NAMES, BARE)
    assert found.counts() == {EVIDENCE: len(NAMES)}
    none = judge(calibrated(bundle, np.full(399, 1e6)), tiny_target, NAMES, BARE)
    assert none.counts() == {NO_EVIDENCE: len(NAMES)}


def test_q_values_are_no_smaller_than_p_and_larger_under_dependence(bundle, tiny_target):
    bh = judge(bundle, tiny_target, NAMES, BARE).rows
    by = judge(bundle, tiny_target, NAMES, replace(BARE, dependence="by")).rows
    for one, other in zip(bh, by, strict=True):
        assert one.p_decoy <= one.q_value <= other.q_value <= 1


def test_list_decoys_turned_off_are_flagged(bundle, tiny_target, verdicts):
    bare = judge(bundle, tiny_target, NAMES, BARE)
    assert all("no_list_decoys" in row.flags for row in bare.rows)
    assert (bare.decoys, bare.check) == (0, None)
    assert not any("no_list_decoys" in row.flags for row in verdicts.rows)


def test_texts_that_chose_the_detector_are_flagged_and_no_others(bundle, tiny_target):
    rows = judge(bundle, tiny_target, NAMES, BARE, selected_on={1, 4}).rows
    assert [row for row, one in enumerate(rows) if "selected_on" in one.flags] == [1, 4]


def test_short_lists_and_common_names_are_flagged(bundle, tiny_target):
    common = reference_parts("latin/en_US", 5)
    texts = [f"{common.firsts[0]} {common.lasts[0]}", *NAMES]
    rows = judge(bundle, tiny_target, texts, BARE).rows
    assert "common_name" in rows[0].flags
    assert all("short_list" in row.flags for row in rows)
    many = [f"{first} {last}" for first in common.firsts for last in common.lasts]
    assert not any("short_list" in row.flags for row in judge(bundle, tiny_target, many, BARE).rows)


def test_names_of_one_part_have_a_detector_of_their_own(bundle, tiny_target):
    apart = replace(bundle.pair, decoy_scores=np.full(99, -1e6))
    rows = judge(replace(bundle, single=apart), tiny_target, ["Cher", *NAMES], FEW).rows
    assert "one_part" in rows[0].flags
    assert not any("one_part" in row.flags for row in rows[1:])
    bare = judge(replace(bundle, single=apart), tiny_target, ["Cher", *NAMES], BARE).rows
    assert bare[0].p_decoy == 1 / 100


def test_without_that_detector_names_of_one_part_are_refused_by_row(bundle, tiny_target):
    with pytest.raises(TextError, match="row 2: one part only") as raised:
        judge(replace(bundle, single=None), tiny_target, [NAMES[0], "Cher"], BARE)
    assert "Cher" not in str(raised.value)


def test_another_checkpoint_is_refused(bundle, tiny_target):
    with pytest.raises(FingerprintMismatch, match="ffffffffffff"):
        judge(replace(bundle, fingerprint="f" * 64), tiny_target, NAMES, BARE)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "empty"),
        (["Ada Roe", ""], "row 2"),
        (["Ada <|endoftext|>"], "row 1: .*special"),
        (["Ada Roe", "Bo\x07Tarn"], "row 2"),
    ],
)
def test_a_list_that_cannot_be_judged_is_refused_by_row(bundle, tiny_target, texts, message):
    with pytest.raises(TextError, match=message):
        judge(bundle, tiny_target, texts, BARE)


def test_too_few_list_decoys_for_the_operating_point_are_refused(bundle, tiny_target):
    with pytest.raises(TooFewTexts, match="10, no p-value"):
        judge(bundle, tiny_target, NAMES, JudgeOptions(decoy_count=10))


def test_decoys_that_spelling_alone_tells_apart_withhold_every_verdict(bundle, tiny_target):
    """The list has every pair of its parts already, so that each decoy holds a common part."""
    letters = "abcdefghijkl"
    grid = [f"Q{one}xx Zz{other}qx" for one in letters for other in letters]
    options = JudgeOptions(decoy_count=30)
    verdicts = judge(bundle, tiny_target, grid[:60], options)
    assert verdicts.check.tripped
    assert "spelling" in verdicts.withheld
    assert verdicts.counts() == {WITHHELD: 60}
    for record in verdicts.records():
        assert (record["p_decoy"], record["q_value"]) == (None, None)
        assert "spelling_tells" in str(record["flags"]).split()
    with_room = judge(bundle, tiny_target, grid[::5], options)
    assert with_room.check.checked
    assert with_room.withheld is None
    assert WITHHELD not in with_room.counts()


MIXED = [*NAMES, "Cher", " ADA  roe", "Ada Roe", "Prince", "Zoe Quill"]


@pytest.mark.parametrize("options", [FEW, BARE], ids=["list decoys", "bundle alone"])
@pytest.mark.parametrize("block", [1, 4, 9])
def test_the_blocks_move_no_verdict(bundle, tiny_target, options, block):
    whole = judge(bundle, tiny_target, MIXED, options, selected_on={2, 8})
    assert judge(bundle, tiny_target, MIXED, options, selected_on={2, 8}, block=block) == whole


@pytest.fixture(scope="module")
def null(bundle, tiny_target):
    shape = ListShape.of([*NAMES, "Cher"])
    return list_null(bundle, tiny_target, shape, FEW, on_list=lambda _texts: ())


def test_a_list_judged_in_blocks_gets_the_verdicts_of_the_list_in_memory(bundle, tiny_target, null):
    texts = [*NAMES, "Cher"]
    rows = [
        row
        for start in range(0, len(texts), 3)
        for row in judge_block(bundle, tiny_target, texts[start : start + 3], null)
    ]
    q = q_values(Counter(row.p_decoy for row in rows))
    told = [(row.score, row.p_decoy, row.p_gibberish, q[row.p_decoy], row.flags) for row in rows]
    judged = judge(bundle, tiny_target, texts, FEW)
    assert told == [
        (row.score, row.p_decoy, row.p_gibberish, row.q_value, row.flags) for row in judged.rows
    ]
    assert (null.decoys, null.smallest_findable, null.check, null.size) == (
        judged.decoys, judged.smallest_findable, judged.check, len(texts),
    )  # fmt: skip


def test_a_row_of_a_block_depends_on_no_other_row(bundle, tiny_target, null):
    together = judge_block(bundle, tiny_target, [NAMES[2], "Cher", NAMES[0]], null)
    assert together[:1] == judge_block(bundle, tiny_target, [NAMES[2]], null)
    assert together[::-1] == judge_block(bundle, tiny_target, [NAMES[0], "Cher", NAMES[2]], null)
    assert judge_block(bundle, tiny_target, [], null) == ()


def test_rows_of_a_block_that_chose_the_detector_are_flagged(bundle, tiny_target, null):
    rows = judge_block(bundle, tiny_target, NAMES[:3], null, selected_on={1})
    assert [row for row, one in enumerate(rows) if "selected_on" in one.flags] == [1]


def test_a_block_is_refused_where_it_cannot_be_judged(bundle, tiny_target, null):
    with pytest.raises(TextError, match="row 2"):
        judge_block(replace(bundle, single=None), tiny_target, [NAMES[0], "Cher"], null)
    with pytest.raises(TextError, match="row 2"):
        judge_block(bundle, tiny_target, [NAMES[0], "Cher"], replace(null, single=None))
    with pytest.raises(TextError, match="control"):
        judge_block(bundle, tiny_target, ["Bo\x07 Tarn"], null)
    with pytest.raises(FingerprintMismatch):
        judge_block(replace(bundle, fingerprint="f" * 64), tiny_target, NAMES, null)

"""A list in a file gets the verdicts of the same list in memory, whatever is done with it."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuni.errors import FingerprintMismatch
from tuni.judging.judge import JudgeOptions, judge
from tuni.judging.list_file import (
    REFUSED,
    ListIndex,
    ListVerdicts,
    check_texts,
    index_list,
    judge_list,
)
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects
from tuni.lists.writing import write_table
from tuni.statistics.p_values import WITHHELD

NAMES = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Di Vance", "Ed Wold", "Flo Yarrow", "Cher"]
SPELLINGS = ["zoe quill", " Zoe  Quill", "ADA ROE", "Bo Tarn", "Bo Tarn", "CHER"]
FEW = JudgeOptions(decoy_count=60)
BARE = JudgeOptions(list_decoys=False)
COLUMNS = ("score", "p_decoy", "p_gibberish", "q_value", "verdict", "flags")


@pytest.fixture
def indexed(tmp_path: Path, bundle, tiny_target):
    def index(texts: list[str], name: str = "list.parquet", made=bundle) -> ListIndex:
        path = tmp_path / name
        write_table(path, ("text",), [{"text": text} for text in texts])
        return index_list(open_subjects(path), tiny_target, made, Wrong(path.name))

    return index


def rows(index: ListIndex, verdicts: ListVerdicts) -> list[dict[str, object]]:
    told = [None if who == REFUSED else verdicts.record(who) for who in index.people.tolist()]
    return [one and {name: one[name] for name in COLUMNS} for one in told]


def in_memory(bundle, target, texts, options, **more) -> list[dict[str, object]]:
    records = judge(bundle, target, texts, options, **more).records()
    return [{name: record[name] for name in COLUMNS} for record in records]


@pytest.mark.parametrize("options", [FEW, BARE, replace(FEW, dependence="by")])
@pytest.mark.parametrize("block", [3, 1000])
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_verdicts_are_those_of_the_list_in_memory(
    bundle, tiny_target, indexed, options, block, name
):
    texts = [*NAMES, *SPELLINGS]
    random.Random(block).shuffle(texts)
    index = indexed(texts, name)
    found = rows(index, judge_list(bundle, tiny_target, index, options, block=block))
    assert found == in_memory(bundle, tiny_target, texts, options)


def test_the_order_of_the_rows_moves_no_verdict(bundle, tiny_target, indexed):
    texts = [*NAMES, *SPELLINGS]
    forth, back = indexed(texts), indexed(texts[::-1], "back.parquet")
    found = [rows(one, judge_list(bundle, tiny_target, one, FEW, block=4)) for one in (forth, back)]
    assert found[0] == found[1][::-1]


def test_texts_that_took_part_in_choosing_are_flagged(bundle, tiny_target, indexed):
    def chosen(texts):
        return [row for row, text in enumerate(texts) if text.casefold() == "ada roe"]

    index = indexed([*NAMES, *SPELLINGS])
    found = rows(index, judge_list(bundle, tiny_target, index, BARE, selected_on=chosen, block=2))
    flagged = [row for row, one in enumerate(found) if "selected_on" in one["flags"].split()]
    assert flagged == [1, 10]


def test_each_person_comes_once_in_the_least_spelling(indexed):
    texts = [*NAMES, *SPELLINGS]
    index = indexed(texts)
    spelled = dict(index.spellings())
    assert len(spelled) == len(NAMES) == len(index.last)
    assert sorted(spelled.values()) == sorted(
        [*NAMES[2:7], "CHER", "ADA ROE", min("zoe quill", "Zoe Quill")]
    )
    assert [spelled[who] for who in index.people.tolist()][: len(NAMES)][2:7] == NAMES[2:7]


def test_what_is_on_the_list_is_known_by_its_canonical_form(indexed):
    index = indexed([*NAMES, "A B\x07"])
    assert index.on_list(["No Body", "ada  ROE", "A B\x07", "Cher", ""]) == [1, 3]


def test_rows_that_cannot_be_scored_are_told_and_left_out(bundle, tiny_target, indexed, tmp_path):
    pairs_only = replace(bundle, single=None)
    texts = ["Ada Roe", "", "Bo\x07Tarn", "Cher", "Cy " + "xqzj" * 40, "Di Vance"]
    index = indexed(texts, made=pairs_only)
    assert (index.people == REFUSED).tolist() == [False, True, True, True, True, False]
    assert index.scored == 2
    assert index.reasons[1] == "text is empty"
    assert index.reasons[2] == "text holds a control character"
    assert "one part only" in index.reasons[3]
    assert "tokens" in index.reasons[4]
    found = rows(index, judge_list(pairs_only, tiny_target, index, BARE))
    kept = in_memory(pairs_only, tiny_target, ["Ada Roe", "Di Vance"], BARE)
    assert [found[0], found[5]] == kept


def test_a_text_that_is_no_string_is_told_by_its_line(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"text": "Ada Roe"}\n{"text": 7}\n{"text": null}\n{"other": 1}\n')
    wrong = Wrong(path.name)
    check_texts(open_subjects(path), wrong)
    with pytest.raises(Exception, match=r"line 2: text is not a string; line 3: text is empty"):
        wrong.refuse()


def test_a_withheld_verdict_has_neither_p_nor_q(bundle, tiny_target, indexed):
    letters = "abcdefghijkl"
    grid = [f"Q{one}xx Zz{other}qx" for one in letters for other in letters]
    options = JudgeOptions(decoy_count=30)
    index = indexed(grid[:60])
    verdicts = judge_list(bundle, tiny_target, index, options)
    assert verdicts.null.withheld
    told = verdicts.record(0)
    assert (told["p_decoy"], told["q_value"], told["verdict"]) == (None, None, WITHHELD)
    assert np.isfinite(told["score"])
    assert "spelling_tells" in told["flags"].split()
    assert rows(index, verdicts) == in_memory(bundle, tiny_target, grid[:60], options)


def test_another_checkpoint_is_refused(bundle, tiny_target, indexed):
    index = indexed(NAMES)
    with pytest.raises(FingerprintMismatch):
        judge_list(replace(bundle, fingerprint="0" * 64), tiny_target, index, BARE)

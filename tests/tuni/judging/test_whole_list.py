"""Verdicts of a list: of the text, the bundle and the list's people alone, wherever it lies."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle
from tuni.errors import TextError
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.record import COLUMNS
from tuni.judging.whole_list import judge_list, judge_texts, scorable
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects
from tuni.lists.rows import TextRows, read_list
from tuni.lists.writing import write_table
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE, WITHHELD
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical

NAMES = ["Zoe Quill", "Ada Roe", "Bo Tarn", "Cy Umber", "Di Vance", "Ed Wold", "Flo Yarrow"]
MIXED = [*NAMES, "Cher", " ADA  roe", "Ada Roe", "Prince", "CHER", "zoe quill", "Zoe Quill"]
FEW = JudgeOptions(decoy_count=60)
BARE = JudgeOptions(list_decoys=False)


def calibrated(bundle: Bundle, scores) -> Bundle:
    scorer = replace(bundle.pair, decoy_scores=np.sort(np.asarray(scores, dtype=np.float64)))
    return replace(bundle, pair=scorer)


def chosen(*texts):
    """Says that these texts took part in choosing the detector."""
    keys = {canonical(text) for text in texts}
    return lambda asked: [row for row, text in enumerate(asked) if canonical(text) in keys]


@pytest.fixture
def verdicts_of(bundle, tiny_target):
    def judged(texts, options=BARE, made=bundle, **more):
        return judge_texts(Judge(made, tiny_target), texts, options, **more)

    return judged


@pytest.fixture
def rows_of(verdicts_of):
    def judged(texts, options=BARE, made=None, **more):
        return verdicts_of(texts, options, **({"made": made} if made else {}), **more).records()

    return judged


@pytest.mark.parametrize("options", [FEW, BARE, replace(FEW, dependence="by")])
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_a_list_in_a_file_gets_the_verdicts_of_the_list_in_memory(
    bundle, tiny_target, rows_of, tmp_path: Path, options, name
):
    texts = [*MIXED, "Bo\x07Tarn"]
    random.Random(name).shuffle(texts)
    path, judge = tmp_path / name, Judge(bundle, tiny_target)
    write_table(path, ("text",), [{"text": text} for text in texts])
    index = scorable(judge, read_list(open_subjects(path), Wrong(name)), Wrong(name))
    told = judge_list(judge, index, options).records()
    bad = texts.index("Bo\x07Tarn")
    assert told.pop(bad) == {"text": "Bo\x07Tarn", "error": "text holds a control character"}
    assert told == rows_of([text for text in texts if "\x07" not in text], options)


@pytest.mark.parametrize("options", [FEW, BARE], ids=["list decoys", "bundle alone"])
@pytest.mark.parametrize("block", [1, 4, 9])
def test_neither_blocks_nor_order_of_rows_move_a_verdict(rows_of, options, block):
    selected = chosen("bo tarn", "Cher")
    whole = rows_of(MIXED, options, selected_on=selected)
    assert rows_of(MIXED, options, selected_on=selected, block=block) == whole
    assert rows_of(MIXED[::-1], options, selected_on=selected, block=block)[::-1] == whole


def test_spellings_of_a_person_get_equal_verdicts_and_count_once(rows_of):
    whole = rows_of(NAMES, FEW)
    more = rows_of([*NAMES, NAMES[0], f"  {NAMES[0]} "], FEW)
    assert more[: len(NAMES)] == whole
    assert [{**row, "text": ""} for row in more[-2:]] == [{**whole[0], "text": ""}] * 2
    spellings = [NAMES[0].upper(), f"  {NAMES[0]} ", NAMES[0]]
    mixed = rows_of([*spellings, *NAMES[1:]], FEW)
    assert [row["text"] for row in mixed[:3]] == spellings
    assert len({str({**row, "text": ""}) for row in mixed[:3]}) == 1


def test_the_same_call_gives_the_same_verdicts(rows_of):
    assert rows_of(NAMES, FEW, model_version="4") == rows_of(NAMES, FEW, model_version="4")


def test_a_text_keeps_its_bundles_p_in_other_company(rows_of):
    alone, together = rows_of(NAMES[:1])[0], rows_of(NAMES)[0]
    assert (alone["score"], alone["p_decoy"]) == (together["score"], together["p_decoy"])


def test_rows_say_what_they_rest_on(bundle, verdicts_of):
    verdicts = verdicts_of(NAMES, FEW, model_version="4")
    record = verdicts.records()[2]
    assert set(record) == set(COLUMNS) - {"error"}
    assert record["text"] == NAMES[2]
    assert record["model_version"] == "4"
    assert record["fingerprint"] == bundle.fingerprint
    assert record["operating_point"] == bundle.operating_point
    assert record["measured_power"] == "not measured"
    assert sum(verdicts.counts().values()) == len(NAMES)
    assert 0 < verdicts.null.decoys <= 60
    assert verdicts.null.check is not None


def test_measured_power_is_about_full_names(bundle, rows_of):
    found = {"n": 20, "hits": 15, "low": 0.5, "high": 0.9}
    pair, single = rows_of([*NAMES[:1], "Cher"], made=replace(bundle, evidence={"found": found}))
    assert pair["measured_power"] == "15 of 20 (0.50-0.90)"
    assert single["measured_power"] == "not measured"


def test_of_two_p_values_the_larger_one_counts(bundle, rows_of):
    pairs = zip(rows_of(NAMES, FEW), rows_of(NAMES), strict=True)
    assert all(row["p_decoy"] >= bare["p_decoy"] for row, bare in pairs)
    lenient, strict = (calibrated(bundle, np.full(399, score)) for score in (-1e6, 1e6))
    assert {row["p_decoy"] for row in rows_of(NAMES, made=lenient)} == {1 / 400}
    assert min(row["p_decoy"] for row in rows_of(NAMES, FEW, made=lenient)) >= 1 / 61
    assert {row["p_decoy"] for row in rows_of(NAMES, made=strict)} == {1.0}


def test_evidence_leaves_out_who_chose_a_detector_that_replaced_the_default(bundle, verdicts_of):
    """All of ten are found; what is said of the list rests on those that chose nothing."""
    made = calibrated(bundle, np.full(399, -1e6))
    listed = [*NAMES, "Gus Zed", "Hal Abel", "Ivy Beck"]
    took_part = verdicts_of(listed, made=made, selected_on=chosen(*listed[:4]))
    told = took_part.evidence(made)
    assert (told.texts, told.selected_on) == (6, 4)
    alone = verdicts_of(listed[4:], made=made).evidence(made)
    assert (told.at_least, told.seen) == (alone.at_least, alone.seen)
    default = replace(made, evidence={"default_detector": True})
    assert took_part.evidence(default) == verdicts_of(listed, made=made).evidence(made)
    assert verdicts_of(listed, made=made, selected_on=chosen(*listed)).evidence(made) is None


def test_words_follow_the_operating_point(bundle, verdicts_of):
    for score, word in ((-1e6, EVIDENCE), (1e6, NO_EVIDENCE)):
        made = calibrated(bundle, np.full(399, score))
        assert verdicts_of(NAMES, made=made).counts() == {word: len(NAMES)}


def test_q_values_are_no_smaller_than_p_and_larger_under_dependence(rows_of):
    by = rows_of(NAMES, replace(BARE, dependence="by"))
    for row, other in zip(rows_of(NAMES), by, strict=True):
        assert row["p_decoy"] <= row["q_value"] <= other["q_value"] <= 1


def test_list_decoys_turned_off_are_flagged(verdicts_of):
    bare = verdicts_of(NAMES)
    assert all("no_list_decoys" in row["flags"] for row in bare.records())
    assert (bare.null.decoys, bare.null.check) == (0, None)
    assert not any("no_list_decoys" in row["flags"] for row in verdicts_of(NAMES, FEW).records())


def test_texts_that_chose_the_detector_are_flagged_and_no_others(rows_of):
    rows = rows_of(MIXED, selected_on=chosen("ada roe"), block=2)
    flagged = [row["text"] for row in rows if "selected_on" in row["flags"]]
    assert flagged == ["Ada Roe", " ADA  roe", "Ada Roe"]


def test_short_lists_and_common_names_are_flagged(rows_of):
    common = reference_parts("latin/en_US", 5)
    rows = rows_of([f"{common.firsts[0]} {common.lasts[0]}", *NAMES])
    assert "common_name" in rows[0]["flags"]
    assert all("short_list" in row["flags"] for row in rows)
    many = [f"{first} {last}" for first in common.firsts for last in common.lasts]
    assert not any("short_list" in row["flags"] for row in rows_of(many))


def test_names_of_one_part_have_a_detector_of_their_own(bundle, rows_of):
    apart = replace(bundle, single=replace(bundle.pair, decoy_scores=np.full(99, -1e6)))
    rows = rows_of(["Cher", *NAMES], FEW, made=apart)
    assert ["one_part" in row["flags"] for row in rows] == [True] + [False] * len(NAMES)
    assert rows_of(["Cher", *NAMES], made=apart)[0]["p_decoy"] == 1 / 100


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "empty"),
        (["Ada Roe", ""], "subjects: row 2: text is empty"),
        (["Ada <|endoftext|>"], "row 1: .*special"),
        (["Ada Roe", "Bo\x07Tarn"], "row 2"),
        ([f"Ada {'xqzj' * 12}"], "row 1: .*tokens"),
        (["Jo-Ann Roe", "Jo - Ann Roe", "Jo Ann Roe"], "row [12]: is one text with another"),
    ],
)
def test_a_list_that_cannot_be_judged_is_refused_by_row(rows_of, texts, message):
    with pytest.raises(TextError, match=message):
        rows_of(texts)


def test_without_that_detector_names_of_one_part_are_refused_by_row(bundle, rows_of):
    with pytest.raises(TextError, match="row 2: one part only") as raised:
        rows_of([NAMES[0], "Cher"], made=replace(bundle, single=None))
    assert "Cher" not in str(raised.value)


def test_who_cannot_be_scored_moves_no_verdict_of_the_others(bundle, tiny_target, rows_of):
    pairs_only = replace(bundle, single=None)
    texts = ["Ada Roe", "", "Bo\x07Tarn", "Cher", "Cy " + "xqzj" * 40, "Di Vance", "ADA ROE"]
    judge, wrong = Judge(pairs_only, tiny_target), Wrong("list")
    index = scorable(judge, read_list(TextRows(texts), wrong), wrong)
    records = judge_list(judge, index, FEW).records()
    assert [row for row, record in enumerate(records) if "error" in record] == [1, 2, 3, 4]
    kept = ["Ada Roe", "Di Vance", "ADA ROE"]
    assert [row for row in records if "error" not in row] == rows_of(kept, FEW, made=pairs_only)
    with pytest.raises(
        TextError, match=r"row 2: .*; row 3: .*; row 4: one part.*; row 5: .*tokens"
    ):
        wrong.refuse()


def test_decoys_that_spelling_alone_tells_apart_withhold_every_verdict(verdicts_of):
    """The list has every pair of its parts already, so that each decoy holds a common part."""
    letters = "abcdefghijkl"
    grid = [f"Q{first}xx Zz{last}qx" for first in letters for last in letters]
    options = JudgeOptions(decoy_count=30)
    verdicts = verdicts_of(grid[:60], options)
    assert verdicts.null.check.tripped
    assert "spelling" in verdicts.grounds.withheld
    assert verdicts.counts() == {WITHHELD: 60}
    for record in verdicts.records():
        assert (record["p_decoy"], record["q_value"]) == (None, None)
        assert np.isfinite(record["score"])
        assert "spelling_tells" in record["flags"].split()
    with_room = verdicts_of(grid[::5], options)
    assert with_room.null.check.checked
    assert with_room.grounds.withheld is None
    assert WITHHELD not in with_room.counts()

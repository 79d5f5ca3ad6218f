"""Rows of several fields, judged by detectors of a random checkpoint."""

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.model import ArrayModel
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.judge import Judge
from tuni.judging.near import near_ranks
from tuni.judging.null import JudgeOptions
from tuni.judging.part_effects import UNCORRECTED
from tuni.judging.people import decisive, decoy_rows, judge_people, scored_kinds, text_of
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

FIELDS = ("name", "phone", "email")
FIRSTS, LASTS = ("Ada", "Bo", "Cy", "Di", "Ed"), ("Roe", "Lind", "Dahl", "Falk", "Gran")
ROWS = [
    {
        "name": f"{first} {last}",
        "phone": f"+1212555{10 * row + place:04d}",
        "email": f"{first}.{last}@mail.org".lower(),
    }
    for row, first in enumerate(FIRSTS)
    for place, last in enumerate(LASTS)
]
OPTIONS = JudgeOptions(decoy_count=80)


def judge(kind, target):
    scores = np.linspace(4.0, 12.0, 199)
    scorer = Scorer(ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}), scores, scores, 1e-6)
    family = HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1)
    parts = text_kind(kind).reference_parts()
    spec = FeatureSpec(parts, batch=32, families=by_family(family), kind=kind)
    bundle = Bundle(
        "tiny", target.fingerprint, kind, spec, scorer, scorer, 0.05, 1, {}, {}, {}
    )  # fmt: skip
    return Judge(bundle, target)


@pytest.fixture(scope="module")
def judges(tiny_target):
    return {kind: judge(kind, tiny_target) for kind in scored_kinds(FIELDS)}


def test_each_field_is_judged_alone_and_beside_the_name():
    kinds = ("name_phone", "name_email", "name", "phone", "email")
    assert scored_kinds(FIELDS) == kinds
    assert scored_kinds(("phone", "email")) == ("phone", "email")
    assert decisive(kinds) == ("name_phone", "name_email")
    assert decisive(("phone", "email")) == ("phone", "email")
    assert decisive(("name",)) == ("name",)


def test_decoy_rows_pair_names_and_fields_of_the_list_anew():
    listed = [
        {"name": f"Ada{row} Roe", "phone": f"+1212555{row:04d}", "email": f"ada.roe{row}@mail.org"}
        for row in range(120)
    ]
    decoys = decoy_rows(listed, scored_kinds(FIELDS), 200, 3)
    assert len(decoys) == 200
    assert decoys == decoy_rows(listed[::-1], scored_kinds(FIELDS), 200, 3)
    for kind in ("name_phone", "name_email"):
        texts = {canonical(text_of(kind, row)) for row in decoys}
        assert len(texts) == 200
        assert not texts & {canonical(text_of(kind, row)) for row in listed}
    assert {row["phone"] for row in decoys} <= {row["phone"] for row in listed}


def test_a_list_of_one_row_gets_decoy_rows_of_plausible_values():
    decoys = decoy_rows(ROWS[:1], ("name_phone",), 300, 3)
    assert len(decoys) == 300
    assert {row["phone"][:5] for row in decoys} == {"+1212"}


def test_a_row_has_one_p_and_those_of_its_texts(judges):
    rows = [*ROWS, {"phone": ROWS[0]["phone"]}, {"name": "Ada Roe", "phone": ROWS[3]["phone"]},
            {"phone": ROWS[1]["phone"], "email": ROWS[2]["email"]}]  # fmt: skip
    verdicts = judge_people(judges, rows, OPTIONS)
    assert verdicts.decoys == 80
    whole, alone, pair, fields = verdicts.rows[0], *verdicts.rows[-3:]
    assert whole.kinds == ("name_phone", "name_email")
    assert set(whole.p_by_kind) == {*scored_kinds(FIELDS)}
    assert alone.kinds == ("phone",) == tuple(alone.p_by_kind)
    assert alone.p == alone.p_by_kind["phone"]
    assert pair.kinds == ("name_phone",)
    assert pair.p_by_kind["name_phone"] >= pair.p  # paid for beside name and phone
    assert fields.kinds == ("phone", "email")
    assert all(1 / 81 <= one.p <= one.q <= 1 for one in verdicts.rows)
    assert all(bool(one.near_rank) == (one.p <= 0.05) for one in verdicts.rows if len(one.kinds))


def test_the_order_of_the_rows_moves_nothing(judges):
    some = {kind: judges[kind] for kind in scored_kinds(("name", "phone"))}
    rows = [{field: row[field] for field in ("name", "phone")} for row in ROWS[:8]]
    forward = judge_people(some, rows, OPTIONS).rows
    assert forward == judge_people(some, rows[::-1], OPTIONS).rows[::-1]


def test_without_decoy_rows_the_smallest_p_is_paid_for(judges):
    verdicts = judge_people(judges, ROWS[:4], JudgeOptions(list_decoys=False))
    for row in verdicts.rows:
        raw = [row.p_by_kind[kind] for kind in row.kinds]
        assert min(raw) <= row.p * 5 / 2 + 1e-12
        assert row.p >= 2 / 200


def test_a_rank_counts_the_near_misses_that_the_model_knows_no_less(judges):
    phone = judges["phone"]
    texts = [row["phone"] for row in ROWS[:6]]
    ranks = near_ranks(phone, texts, UNCORRECTED)
    for text, rank in zip(texts, ranks, strict=True):
        scores = phone.scores([text, *phone.kind.near(text)], paired=True)
        assert rank == 1 + int((scores[1:] >= scores[0]).sum())

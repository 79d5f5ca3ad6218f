"""Figures of a benchmark and the tables that show them."""

from dataclasses import replace

import numpy as np
import pytest

from flows.benchmark.table import Cell, figures_of, write_csv_table, write_markdown
from flows.pages.html import render_page
from flows.pages.kinds.benchmark_facts import BenchmarkFacts, findings
from flows.pages.kinds.benchmark_page import auc_table, benchmark_page
from tests.objects import read_csv
from tuni.bench.peers import OURS, OURS_WITH_PICTURES, PEERS
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.settings import TestbedSettings
from tuni.statistics.roc import auc

METHODS = tuple(
    peer for peer in PEERS if peer.key in (OURS, OURS_WITH_PICTURES, "csa", "token-norm")
)
SETTINGS = TestbedSettings.of_size("test", 3)


def person(group, captions=0):
    return Person("Ada", "Roe", "en_US", group, captions)


@pytest.fixture(scope="module")
def figures():
    people = [person("member", 10)] * 60 + [person("member", 1)] * 10
    people += [person("stranger")] * 80 + [person("hard")] * 30
    draw = np.random.default_rng(0)
    member = np.array([p.member for p in people])
    strength = {OURS: 2.0, "csa": 4.0, "token-norm": 0.0, OURS_WITH_PICTURES: 2.0}
    cells = {}
    for key, shift in strength.items():
        scores = draw.normal(size=len(people)) + shift * member
        cells[key] = Cell(scores, scores > 1.6, 0.25)
    return figures_of(SETTINGS, METHODS, cells, people, 4), cells


def test_the_headline_leaves_members_with_few_pictures_to_a_column_of_their_own(figures):
    rows, cells = figures
    ours = rows[0]
    scores = cells[OURS].scores
    assert (ours.members, ours.strangers) == (60, 80)
    assert ours.auc == auc(scores[:60], scores[70:150])
    assert ours.auc_all_members == auc(scores[:70], scores[70:150])
    assert ours.hard_accused.n == 30
    assert ours.lead_auc is None


def test_the_lead_over_a_method_is_signed_and_paired(figures):
    csa, chance = (next(r for r in figures[0] if r.method == k) for k in ("csa", "token-norm"))
    assert csa.lead_auc.high < 0
    assert chance.lead_auc.low > 0
    assert chance.lead_auc.value == pytest.approx(figures[0][0].auc - chance.auc)
    told = findings(figures[0])
    assert any("CSA" in line and "H is behind on 1 of 1 testbed by AUC" in line for line in told)
    assert any("token" in line and "H is ahead on 1 of 1 testbed by AUC" in line for line in told)


def test_only_methods_with_pictures_are_compared_with_ours_with_pictures(figures):
    leads = {row.method: row.lead_pictured for row in figures[0]}
    assert [key for key, lead in leads.items() if lead is not None] == ["csa"]
    assert leads["csa"].high < 0


def test_a_method_that_is_asked_about_a_part_is_compared_over_that_part(figures):
    people = [person("member", 10)] * 60 + [person("stranger")] * 80 + [person("hard")] * 10
    _, cells = figures
    costly = replace(METHODS[-1], asked=50)
    some = {
        OURS: Cell(cells[OURS].scores[:150], cells[OURS].accused[:150], 0.1),
        costly.key: Cell(np.arange(110.0)[::-1], np.ones(110, bool), 0.1),
    }
    rows = figures_of(SETTINGS, (METHODS[0], costly), some, people, 4)
    assert (rows[1].members, rows[1].strangers, rows[1].part) == (50, 50, True)
    assert rows[1].auc == 1.0
    assert rows[1].lead_auc.high < 0
    told = write_markdown(rows)
    assert "60 members with" in told
    assert "(asked about 50 members, 50 strangers)" in told


def test_a_rate_that_the_strangers_do_not_support_is_left_open(figures, tmp_path):
    assert dict(figures[0][0].tpr)[0.01] is None
    write_csv_table(figures[0], tmp_path / "t.csv")
    rows = read_csv(tmp_path / "t.csv")
    columns = (
        "seed captions method title members strangers auc auc_low auc_high auc_all_members tpr_5 "
        "tpr_5_low tpr_5_high tpr_1 tpr_1_low tpr_1_high own_rule members_found strangers_accused "
        "strangers_accused_low strangers_accused_high hard_accused seconds_per_subject pictures "
        "known_nonmembers shadow_models ours_minus_auc ours_minus_auc_low ours_minus_auc_high "
        "ours_minus_tpr_5 ours_minus_tpr_5_low ours_minus_tpr_5_high pictured_minus_auc "
        "pictured_minus_auc_low pictured_minus_auc_high"
    )
    assert list(rows[0]) == columns.split()
    assert rows[0]["tpr_1"] == ""
    assert float(rows[0]["tpr_5"]) == dict(figures[0][0].tpr)[0.05].value
    assert "too few" in write_markdown(figures[0])


def test_pictures_and_known_nonmembers_stand_beside_the_methods_that_need_them(figures):
    needs = {r.method: (r.pictures, r.known_nonmembers, r.shadow_models) for r in figures[0]}
    assert needs == {
        OURS: (0, False, 0),
        OURS_WITH_PICTURES: (4, False, 0),
        "csa": (4, True, 0),
        "token-norm": (0, False, 0),
    }
    assert "| CSA * |" in write_markdown(figures[0])


def test_the_page_shows_every_row_and_says_what_was_not_measured(figures):
    page = render_page(benchmark_page(BenchmarkFacts(tuple(figures[0]), 4, ())))
    for row in figures[0]:
        assert f"{row.auc:.3f} <small>{row.auc_interval.low:.3f} to" in page
    assert "web-scale CLIP" in page
    assert "Seed 3, short captions" in page


def test_the_picture_has_methods_by_their_mean_and_a_gap_where_one_was_not_run(figures):
    rows = figures[0]
    other = [replace(row, captions="described") for row in rows if row.method != "csa"]
    table = auc_table([*rows, *other])
    assert table.methods[0] == "CSA"
    assert table.testbeds == ((3, "described"), (3, "short"))
    csa = next(row for row in rows if row.method == "csa")
    assert table.values[0][0] is None
    assert table.values[1][0] == (csa.auc, csa.auc_interval)

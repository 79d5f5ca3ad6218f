"""Tables hold what the sample supports; the drawing is deterministic and stands on its own."""

import base64
import re
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.pages import null_plots, plots, search_plots
from flows.pages.figures import MAX_BYTES, image_address, percent, render
from tuni.errors import RequestError, UnusableScores
from tuni.statistics.intervals import rate

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)
SVG = "{http://www.w3.org/2000/svg}"


@given(scores, scores)
def test_roc_is_the_best_that_each_number_of_accused_nonmembers_allows(members, nonmembers):
    table = plots.roc_table(members, nonmembers)
    thresholds = sorted({*members, *nonmembers})
    for fpr, tpr in zip(table.nonmember_fpr, table.tpr, strict=True):
        allowed = [t for t in thresholds if np.mean(np.array(nonmembers) >= t) <= fpr + 1e-9]
        assert tpr == pytest.approx(max(np.mean(np.array(members) >= t) for t in allowed))


@given(scores, scores)
def test_roc_shows_no_rate_finer_than_one_nonmember(members, nonmembers):
    table = plots.roc_table(members, nonmembers)
    assert table.nonmember_fpr[0] >= 1 / len(nonmembers)
    assert table.nonmember_fpr[-1] == 1
    assert (np.diff(table.nonmember_fpr) > 0).all()
    assert (table.low <= table.tpr).all()
    assert (table.tpr <= table.high).all()


def test_roc_refuses_scores_that_are_not_finite():
    with pytest.raises(UnusableScores):
        plots.roc_table([0.0, np.nan], [0.0])


@given(st.dictionaries(st.text("abc", min_size=1), scores, max_size=4))
def test_histograms_count_every_text_once(groups):
    table = plots.histogram_table(groups)
    assert table.groups == tuple(groups)
    assert table.counts == tuple(len(values) for values in groups.values())
    assert np.allclose(table.shares.sum(axis=1), 1)


def test_null_figure_shows_the_rates_that_the_sample_supports_and_their_law():
    p = np.linspace(0.001, 1.0, 400)  # as rare as they say
    table = null_plots.null_table(p, 1999)
    assert table.nominal[0] >= 1 / 400
    assert (table.low <= table.realised).all()
    assert (table.realised <= table.high).all()
    accused = null_plots.null_table(p / 3, 1999)
    assert (accused.realised > accused.high)[:-1].any()
    assert "<svg" in render(null_plots.draw_null, accused)


def test_histograms_leave_out_groups_without_texts():
    assert plots.histogram_table({"members": [1.0], "decoys": []}).groups == ("members",)


def test_power_carries_the_intervals_of_its_rates():
    table = plots.power_table([("1", rate(0, 10)), ("20", rate(10, 10))])
    assert table.captions == ("1", "20")
    assert table.found == (0.0, 1.0)
    assert table.high[0] == rate(0, 10).high
    assert table.low[1] == rate(10, 10).low


def test_search_keeps_the_order_of_trials_and_the_best_so_far():
    point = search_plots.TrialPoint
    table = search_plots.search_table(
        [point(2, 0.5), point(0, 0.4, "default"), point(1, 0.6, "paper"), point(3, None)]
    )
    assert table.numbers.tolist() == [0, 1, 2]
    assert table.best.tolist() == [0.4, 0.6, 0.6]
    assert table.marked == {"default": (0, 0.4), "paper": (1, 0.6)}
    assert table.failed == 1


def test_importance_is_sorted_and_cut():
    table = search_plots.importance_table({"b": 0.1, "a": 0.1, "c": 0.8}, most=2)
    assert table.names == ("c", "a")


def test_tables_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        plots.roc_table([1.0], [0.0]).tpr[0] = 0


GENERATOR = np.random.default_rng(3)
MEMBERS, NONMEMBERS = GENERATOR.normal(1, 1, 60), GENERATOR.normal(0, 1, 80)
DRAWINGS = {
    "roc": (plots.draw_roc, plots.roc_table(MEMBERS, NONMEMBERS)),
    "roc of one and one": (plots.draw_roc, plots.roc_table([1.0], [0.0])),
    "histograms": (
        partial(plots.draw_histograms, threshold=0.5),
        plots.histogram_table({"members": MEMBERS, "<non-members> & co": NONMEMBERS}),
    ),
    "no histogram": (plots.draw_histograms, plots.histogram_table({})),
    "power": (plots.draw_power, plots.power_table([("1", rate(2, 20)), ("5 to 9", rate(15, 20))])),
    "no power": (plots.draw_power, plots.power_table([])),
    "search": (
        search_plots.draw_search,
        search_plots.search_table([search_plots.TrialPoint(n, n / 9) for n in range(9)]),
    ),
    "no search": (search_plots.draw_search, search_plots.search_table([])),
    "importance": (
        search_plots.draw_importance,
        search_plots.importance_table({"detector": 0.7, "null": 0.3}),
    ),
    "no importance": (search_plots.draw_importance, search_plots.importance_table({})),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_the_same_byte_for_byte_and_names_no_date(name):
    draw, table = DRAWINGS[name]
    svg = render(draw, table, title="A finding", caption="seed 3")
    assert svg == render(draw, table, title="A finding", caption="seed 3")
    assert not re.search(r"<dc:(date|creator)", svg)
    texts = "".join(ElementTree.fromstring(svg).itertext())
    assert "A finding" in texts
    assert "seed 3" in texts


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_becomes_an_address_that_holds_it_whole(name):
    svg = render(*DRAWINGS[name])
    kind, _, content = image_address(svg).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == svg


@pytest.mark.parametrize(
    "content",
    [
        "", "<svg", "<svg/>", "<html xmlns='http://www.w3.org/1999/xhtml'/>", "\ud800",
        pytest.param(f"<svg xmlns={SVG[1:-1]!r}>{' ' * MAX_BYTES}</svg>", id="large"),
    ],
)  # fmt: skip
def test_what_is_no_svg_of_bounded_size_is_no_figure(content):
    with pytest.raises(RequestError, match="figure: "):
        image_address(content)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.0005, "0.05 %"), (0.001, "0.1 %"), (0.05, "5 %"), (0.0549, "5.5 %"),
     (0.0996, "10 %"), (0.673, "67 %"), (0.9961, "99.6 %"), (1, "100 %")],
)  # fmt: skip
def test_a_share_is_written_as_a_person_writes_it(share, said):
    assert percent(share).replace("\u00a0", " ") == said

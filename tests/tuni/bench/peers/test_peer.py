"""Every method on the same few people."""

import numpy as np
import pytest

from tuni.bench.peers import OURS, PEERS, Bench, BenchSizes, People, apply
from tuni.bench.testbed.people import draw_people
from tuni.bench.testbed.settings import TestbedSettings

SIZES = BenchSizes(
    decoy_fit=40, decoy_scale=25, decoy_calibration=40, candidates=12, gibberish_fit=30,
    gibberish_scale=25, restarts=1, steps=2,
)  # fmt: skip


def people(start, n):
    settings = TestbedSettings.of_size("test", 1)
    names = [p.text for p in draw_people(settings, settings.rng("people"))][start : start + n]
    pictures = np.random.default_rng(start).integers(0, 256, (n, 3, 16, 16, 3), dtype=np.uint8)
    return People(tuple(names), pictures)


@pytest.fixture(scope="module")
def bench(tiny_target):
    return Bench(tiny_target, people(0, 24), people(60, 20), sizes=SIZES, seed=1)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_every_method_judges_everybody_and_itself_no_less(peer, bench, tiny_target):
    result, seconds = apply(peer, bench)
    assert result.scores.shape == result.accused.shape == (24,)
    assert np.isfinite(result.scores).all()
    assert result.accused.dtype == bool
    assert seconds > 0
    again, _ = apply(peer, bench)
    assert np.array_equal(again.scores, result.scores)


def test_methods_have_keys_of_their_own_and_say_where_they_come_from():
    assert len({peer.key for peer in PEERS}) == len(PEERS)
    assert OURS in {peer.key for peer in PEERS}
    assert all(peer.source and peer.rule for peer in PEERS)
    pictured = {"ours-pictures", "csa", "wsa", "idia", "inverted"}
    assert {peer.key for peer in PEERS if peer.pictures} == pictured


def test_a_costly_method_is_asked_about_some_of_every_group_whatever_the_order():
    costly = next(peer for peer in PEERS if peer.asked)
    texts = [f"person {k}" for k in range(500)]
    groups = ["member", "stranger"] * 200 + ["hard"] * 100
    places = costly.places(texts, groups, 3)
    counts = {name: sum(groups[row] == name for row in places) for name in set(groups)}
    assert counts == {"member": costly.asked, "stranger": costly.asked, "hard": 100}
    turned = costly.places(texts[::-1], groups[::-1], 3)
    assert {texts[row] for row in places} == {texts[::-1][row] for row in turned}
    assert len(PEERS[0].places(texts, groups, 3)) == 500
    budget = costly.sizes(SIZES)
    assert budget.restarts * budget.steps == 10 * SIZES.restarts * SIZES.steps


def test_no_comparison_text_is_a_subject_or_stands_twice(bench):
    texts = [text for name, some in bench.sets.items() if name != "subjects" for text in some]
    texts += bench.candidates
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {*bench.subjects.texts, *bench.strangers.texts}

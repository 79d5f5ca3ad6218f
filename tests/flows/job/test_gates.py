"""Checks on labelled texts, also where they are of one kind or few."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flows.job.gates import evenness_gate, label_gates, strangers_alone
from tests.objects import latin_names
from tuni.statistics.evaluation import JudgedTexts, evaluate
from tuni.texts.kind import text_kind

NAME = text_kind("name")

DECOYS = np.sort(np.random.default_rng(1).normal(size=999))
# What the check reads of a job and of a bundle, and nothing else.
JOB: Any = SimpleNamespace(
    request=SimpleNamespace(gates=SimpleNamespace(nonmember_fpr_confidence=0.99))
)
BUNDLE: Any = SimpleNamespace(pair=SimpleNamespace(decoy_scores=DECOYS), operating_point=0.05)


def test_known_nonmembers_without_members_still_check_the_null() -> None:
    strangers = np.random.default_rng(2).normal(size=60)
    assert strangers_alone(JOB, BUNDLE, strangers).passed is True
    assert strangers_alone(JOB, BUNDLE, strangers + 3.0).passed is False


def test_fewer_than_five_known_nonmembers_are_not_told_of() -> None:
    gate = strangers_alone(JOB, BUNDLE, np.array([9.0, 9.0, 9.0, 9.0]))
    assert gate.passed is None
    assert "4" not in gate.sentence


def test_a_model_that_tells_no_text_from_another_gets_its_claim_withheld() -> None:
    names = latin_names(60)
    members = np.arange(60) % 2 == 0
    equal, ones = np.zeros(60), np.ones(60)
    judged = JudgedTexts(names, members, equal, ones, ones)
    measured = evaluate(judged, np.zeros(999), kind=NAME, operating_point=0.05, seed=0)
    assert (measured.auc, measured.found.hits, measured.nonmember_fpr.hits) == (0.5, 0, 0)
    gates = {gate.name: gate for gate in label_gates(JOB, measured, None)}
    assert gates["blind"].passed is False
    assert "the detector 0.50" in gates["blind"].sentence
    assert "must lie above 0" in gates["blind"].sentence


def test_equal_scores_accuse_nobody() -> None:
    flat: Any = SimpleNamespace(
        pair=SimpleNamespace(decoy_scores=np.zeros(999)), operating_point=0.05
    )
    gate = strangers_alone(JOB, flat, np.zeros(40))
    assert gate.passed is True
    assert gate.sentence.startswith("0 of 40")


FIRSTS = ("Ada", "Bea", "Cyd", "Dee", "Eve", "Fay")
LASTS = ("Roe", "Poe", "Loe", "Moe", "Noe")
PAIRS = [f"{first} {last}" for first in FIRSTS for last in LASTS for _ in range(20)]


@pytest.mark.parametrize(
    ("raised", "passed"), [("nobody", True), ("Roe", False), ("Ada", False), ("long", True)]
)
def test_a_name_part_decides_or_does_not_and_tokens_are_shown(raised: str, passed: bool) -> None:
    draw = np.random.default_rng(3)
    tokens = draw.choice([3, 4, 5], len(PAIRS))
    high = [raised in text.split() for text in PAIRS] if raised != "long" else tokens == 5
    scores = draw.normal(size=len(PAIRS)) + 2.0 * np.array(high)
    gate, figures = evenness_gate(PAIRS, scores, tokens.tolist(), NAME, 0.05)
    assert gate.passed is passed
    assert "by tokens" in gate.sentence
    assert (figures["tokens_decoy_fpr_max"] > 0.1) == (raised == "long")
    assert (figures["worst_part_decoy_fpr"] > 0.15) == (not passed)
    assert (figures["tokens_spread"] > 3) == (raised == "long")
    assert 0 <= figures["frequency_decoy_fpr_max"] <= 1

import json

import numpy as np
import pytest
from faker import Faker
from scipy.stats import norm

from tuni.errors import UnusableScores
from tuni.statistics.evaluation import (
    CaptionPower,
    Evaluation,
    JudgedTexts,
    _fewest,
    evaluate,
    optimism,
)
from tuni.statistics.intervals import Interval, rate, share
from tuni.statistics.p_values import conformal_p
from tuni.texts.kind import text_kind

NAME = text_kind("name")

COUNTS = (1, 2, 5, 10, 20)


def labelled(seed: int = 0, n: int = 100) -> dict[str, object]:
    """n members, found the better the more captions they have, and n strangers."""
    rng = np.random.default_rng(seed)
    fake = Faker("de_DE")
    fake.seed_instance(seed)
    texts: dict[str, None] = {}
    while len(texts) < 2 * n:
        texts[f"{fake.first_name()} {fake.last_name()}"] = None
    members = np.arange(2 * n) < n
    captions = [COUNTS[row % 5] if row < n else None for row in range(2 * n)]
    reach = np.array([0.0 if count is None else 2.0 * np.log2(1 + count) for count in captions])
    scores = rng.normal(size=2 * n) + reach
    calibration = rng.normal(size=999)
    p = conformal_p(scores, calibration)
    return {
        "texts": list(texts),
        "members": members,
        "scores": scores,
        "p_decoy": p,
        "p_single": p,
        "calibration": calibration,
        "captions": captions,
        "groups": ["" if row < n or row % 2 else "hard" for row in range(2 * n)],
    }


def measured(data: dict[str, object], **changes: object) -> Evaluation:
    asked = {**data, "kind": NAME, "operating_point": 0.05, "seed": 1, **changes}
    columns = asked.keys() & JudgedTexts.__dataclass_fields__.keys()
    judged = JudgedTexts(**{name: asked.pop(name) for name in columns})
    return evaluate(judged, **asked)


@pytest.fixture(scope="module")
def data() -> dict[str, object]:
    return labelled()


@pytest.fixture(scope="module")
def result(data) -> Evaluation:
    return measured(data)


def test_the_counts_are_those_of_the_verdicts(data, result):
    found, members = data["p_decoy"] <= 0.05, data["members"]
    for told, marks in ((result.found, found[members]), (result.nonmember_fpr, found[~members])):
        fixed = share(marks)
        assert (told.hits, told.n) == (fixed.hits, fixed.n)
        assert told.high - told.low > fixed.high - fixed.low  # the threshold was drawn, too
    assert result.precision == share(members[found])
    assert result.accuracy == share(found == members)
    assert (result.members, result.nonmembers) == (100, 100)


def test_every_rate_has_its_interval_and_none_is_finer_than_the_sample(result):
    rates = dict(result.tpr_at_nonmember_fpr)
    assert rates[0.001] is None
    assert rates[0.01].low < rates[0.01].value < rates[0.01].high
    assert result.auc_interval.low < result.auc < result.auc_interval.high


def test_power_rises_with_captions_and_the_fewest_that_do_are_named(result):
    assert [entry.captions for entry in result.by_captions] == list(COUNTS)
    assert sum(entry.found.n for entry in result.by_captions) == 100
    half, most = result.captions_for_power
    assert (half.power, most.power) == (0.5, 0.8)
    assert 1 <= half.captions <= most.captions <= 5
    for fewest in (half, most):
        assert fewest.low <= fewest.captions <= fewest.high


def test_one_unlucky_count_does_not_hide_the_power_beside_it(data):
    p = np.where(data["members"], 0.01, 1.0)
    ten = [row for row, count in enumerate(data["captions"]) if count == 10]
    one = [row for row, count in enumerate(data["captions"]) if count == 1]
    p[ten[:6]] = p[one] = 1.0  # 0, 20, 20, 14 and 20 of 20 at 1, 2, 5, 10 and 20 captions
    fewest = measured(data, p_decoy=p).captions_for_power
    assert [entry.captions for entry in fewest] == [2, 2]


def test_where_power_is_out_of_reach_the_interval_says_so(data):
    found = np.zeros(200)
    found[[row for row, count in enumerate(data["captions"]) if count == 20][:15]] = 1
    fewest = measured(data, p_decoy=1.0 - 0.99 * found).captions_for_power[1]
    assert (fewest.captions, fewest.low, fewest.high) == (None, 20, None)


@pytest.mark.parametrize(
    ("samples", "least"), [(20, 17), pytest.param(500, 465, marks=pytest.mark.slow)]
)
def test_the_interval_of_the_fewest_captions_covers_the_truth(samples, least):
    captions = (1, 2, 5, 10, 20, 50)
    power = norm.cdf(1.2 * np.log(np.array(captions) / 4))
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(samples):
        hits = rng.binomial(20, power).tolist()
        seen = [CaptionPower(c, rate(k, 20)) for c, k in zip(captions, hits, strict=True)]
        told = _fewest(seen, 0.8, seed)
        covered += told.low <= 10 <= (told.high or 99)
    assert covered >= least


def test_a_figure_of_one_look_flatters_by_nothing_and_more_looks_by_more():
    """The best of k normal errors: .56 deviations of two, 2.04 of thirty."""
    interval = Interval(0.80, 0.80 + 2 * norm.ppf(0.975) * 0.04)
    assert optimism(1, interval) == pytest.approx(0.0, abs=1e-12)
    drawn = np.random.default_rng(0).normal(0, 0.04, (20_000, 30))
    for looks in (2, 30):
        best = drawn[:, :looks].max(axis=1).mean()
        assert optimism(looks, interval) == pytest.approx(best, rel=0.06)


def test_unknown_captions_and_groups_leave_their_tables_empty(data):
    bare = measured(data, captions=(), groups=())
    assert (bare.by_captions, bare.groups) == ((), ())
    for entry in bare.captions_for_power:
        assert (entry.captions, entry.low, entry.high) == (None, None, None)


def test_named_groups_of_non_members_are_reported_on_their_own(data, result):
    assert [entry.name for entry in result.groups] == ["hard"] == list(result.labelled)
    hard = result.groups[0]
    assert hard.accused.n == 50
    assert hard.auc_interval.low < hard.auc < hard.auc_interval.high
    assert dict(hard.tpr_at_fpr)[0.01] is None


def test_texts_that_nobody_labelled_stand_beside_the_groups_and_move_nothing_else(data, result):
    drawn = np.random.default_rng(3).normal(size=300)
    others = {"decoys": (drawn, conformal_p(drawn, data["calibration"]))}
    wider = measured(data, others=others)
    assert [entry.name for entry in wider.groups] == ["hard", "decoys"]
    assert wider.labelled == ("hard",)
    assert wider.groups[1].accused.n == 300
    assert wider.nonmember_fpr == result.nonmember_fpr


def test_said_of_a_list_without_labels_the_members_are_never_overstated(result):
    assert 0 < result.as_list.at_least <= result.members


def test_decoys_of_the_list_widen_the_interval_and_move_no_count(data, result):
    few = np.random.default_rng(4).normal(size=80)
    wider = measured(data, list_decoys=few)
    assert (wider.found.hits, wider.found.n) == (result.found.hits, result.found.n)
    assert wider.found.low < result.found.low
    for entry, beside in zip(wider.by_captions, result.by_captions, strict=True):
        assert entry.found.low <= beside.found.low


def test_the_null_check_uses_the_single_source_p_values(data, result):
    assert result.null.valid
    assert result.null.n_calibration == 999
    assert not measured(data, p_single=np.full(200, 0.01)).null.valid
    assert result.shape.n == 100


def test_a_detector_that_knows_only_the_spelling_trips_the_gate(data, result):
    assert not result.blind.tripped
    french = Faker("fr_FR")
    french.seed_instance(0)
    texts = list(data["texts"])
    texts[:100] = [f"{french.first_name()} {french.last_name()} {row}" for row in range(100)]
    assert measured(data, texts=texts).blind.tripped


def test_too_few_texts_leave_the_gate_open_and_no_rate_is_claimed():
    few = measured(labelled(n=4))
    assert few.blind is None
    assert all(rate is None for _, rate in few.tpr_at_nonmember_fpr)


def test_equal_scores_are_chance(data):
    flat = measured(data, scores=np.zeros(200), p_decoy=np.ones(200), calibration=np.zeros(99))
    assert (flat.auc, flat.precision, flat.found.hits) == (0.5, None, 0)
    assert flat.blind.tripped


def test_rows_may_come_in_any_order(data, result):
    rows = np.random.default_rng(0).permutation(200)
    moved = {
        name: value if name == "calibration" else
        value[rows] if isinstance(value, np.ndarray) else [value[row] for row in rows]
        for name, value in data.items()
    }  # fmt: skip
    assert measured(moved) == result


def test_it_is_plain_json_with_stable_keys(result):
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(told) == set(Evaluation.__dataclass_fields__)
    assert told["found"] == {
        "hits": result.found.hits, "n": 100, "value": result.found.value,
        "low": result.found.low, "high": result.found.high,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": np.full(200, np.nan)},
        {"scores": np.zeros(199)},
        {"members": np.ones(200, dtype=bool)},
        {"captions": [1]},
        {"groups": ["a"]},
    ],
)
def test_unusable_input_is_refused(data, changes):
    with pytest.raises(UnusableScores):
        measured(data, **changes)


def test_the_drawn_power_is_what_theory_says(result):
    """A check of the test's own data: a stranger's threshold is the normal 95 % point."""
    shift = 2.0 * np.log2(3.0)
    expected = norm.sf(norm.ppf(0.95) - shift)
    assert result.by_captions[1].found.low <= expected <= result.by_captions[1].found.high

"""What cannot be scored is told by row, never by quoting it."""

from collections.abc import Callable

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.model import ArrayModel
from tuni.errors import TextError
from tuni.features.spec import FeatureSpec, HiddenSpec
from tuni.judging.fits import refuse, too_long, unscorable
from tuni.texts.names import NeighbourParts, reference_parts

COMMON = reference_parts("latin/*", 6)
SPEC = FeatureSpec(
    parts=(NeighbourParts("*", COMMON.firsts, COMMON.lasts),),
    hidden=HiddenSpec(prompts=("{}", "a photo of {}"), neighbours=2),
    noise=None,
    jacobian=None,
)
LONG = "xqzj" * 12


@pytest.fixture
def make_bundle(tiny_target) -> Callable[..., Bundle]:
    scores = np.arange(30.0)
    scorer = Scorer(ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}), scores, scores, 1e-6)

    def make(*, single: bool = True) -> Bundle:
        return Bundle(
            checkpoint="tiny",
            fingerprint=tiny_target.fingerprint,
            kind="name",
            feature_spec=SPEC,
            pair=scorer,
            single=scorer if single else None,
            operating_point=0.05,
            seed=0,
            settings={},
            evidence={},
            versions={},
        )

    return make


def test_names_of_ordinary_length_are_scorable(tiny_target, make_bundle):
    texts = ["Ada Roe", "Jürgen Müller", "王小明", "Cher", "Bartholomew van der Zyl"]
    assert unscorable(tiny_target, texts, make_bundle()) == {}


def test_each_bad_row_has_its_reason_in_order_and_unquoted(tiny_target, make_bundle):
    texts = ["Ada Roe", f"Zebulon {LONG}", "", "Zebulon\x07Quartz", "Zebulon"]
    reasons = unscorable(tiny_target, texts, make_bundle(single=False))
    assert list(reasons) == [1, 2, 3, 4]
    assert "tokens" in reasons[1]
    assert "one part" in reasons[4]
    assert not any("Zebulon" in why or LONG in why for why in reasons.values())
    assert list(unscorable(tiny_target, texts, make_bundle())) == [1, 2, 3]


def test_a_text_is_too_long_where_the_longest_prompt_does_not_fit(tiny_target):
    room = tiny_target.context_length - 3 - 2
    texts = [" ".join(["x"] * count) for count in (room, room + 1)]
    counts = tiny_target.token_counts([f"a photo of {text}" for text in texts])
    assert counts.tolist() == [tiny_target.context_length, tiny_target.context_length + 1]
    reasons = too_long(tiny_target, texts[1:], SPEC)
    assert list(reasons) == [0]
    assert str(tiny_target.context_length) in reasons[0]


def test_a_text_whose_neighbours_do_not_fit_is_too_long(tiny_target):
    room = tiny_target.context_length - 3 - 2
    longer = ("Bartholomew-Maximilian-Zachariah", *COMMON.firsts)
    spec = FeatureSpec(
        parts=(NeighbourParts("*", longer, COMMON.lasts),),
        hidden=SPEC.hidden,
        noise=None,
        jacobian=None,
    )
    text = "x " + "-".join(["y"] * ((room - 1) // 2))
    assert int(tiny_target.token_counts([f"a photo of {text}"])[0]) <= tiny_target.context_length
    assert too_long(tiny_target, [text], SPEC) == {}
    assert "beside another name part" in too_long(tiny_target, [text], spec)[0]


def test_refusing_nothing_is_silent():
    refuse({})


def test_rows_count_from_one_and_only_five_are_named():
    with pytest.raises(TextError, match="subjects: row 1: empty; row 4: empty") as raised:
        refuse({0: "empty", 3: "empty"})
    assert "skip" in raised.value.fix
    with pytest.raises(TextError, match="and 3 more"):
        refuse(dict.fromkeys(range(8), "empty"))


def test_lines_are_named_as_they_stand():
    with pytest.raises(TextError, match=r"own\.csv: line 7: empty"):
        refuse({7: "empty"}, "line", "own.csv", "mend it")

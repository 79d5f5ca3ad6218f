"""One suite that every kind of text passes, those of other packages too."""

import numpy as np
import pytest

from tuni.detectors.bundle import Bundle, Scorer, read_bundle, write_bundle
from tuni.detectors.model import ArrayModel
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_texts
from tuni.lists.shape import ListShape
from tuni.texts.kind import kind_names, text_kind
from tuni.texts.text import canonical, clean_text, refusal


@pytest.fixture(params=kind_names())
def kind(request):
    return text_kind(request.param)


@pytest.fixture
def texts(kind):
    return list(kind.like("en_US"))[:40]


def lone(kind, texts):
    """Texts of one part, where the kind has such."""
    parts = [kind.parse(text).parts[0] for text in texts[:5]]
    return [part for part in parts if kind.refusal(part) is None and not kind.has_parts(part)]


def test_a_text_is_taken_apart_and_never_changed(kind, texts):
    for text in (*texts, *lone(kind, texts), f"  {texts[0]} ", "x", "?"):
        parsed = kind.parse(text)
        assert parsed.text == clean_text(text)
        assert all(part and part in parsed.text for part in parsed.parts)
        assert len(parsed.parts) == (2 if kind.has_parts(text) else 1)
        assert isinstance(parsed.common, bool)
    assert all(kind.has_parts(text) and refusal(text) is None for text in texts)
    assert not any(map(kind.refusal, texts))


def test_a_text_has_one_writing_and_forms_that_are_asked(kind, texts):
    for text in texts:
        assert kind.standard(text, None) == text
        forms = kind.forms(text)
        assert len(set(forms)) == len(forms) >= 1
        assert all(kind.has_parts(form) and form == clean_text(form) for form in forms)
        assert {kind.standard(form, "US") for form in forms} <= {text, *forms[1:]}


def test_near_misses_are_other_texts_of_the_kind(kind, texts):
    assert bool(kind.near(texts[0])) == bool(kind.differs)
    for text in texts:
        near = kind.near(text)
        assert len({canonical(other) for other in (text, *near)}) == len(near) + 1
        assert not any(map(kind.refusal, near))


def test_gibberish_has_the_shape_of_the_kind(kind, texts):
    if kind.noise is None:
        return
    noise = kind.noise(texts, 50, "abc123", 4, frozenset())
    assert noise == kind.noise(texts[::-1], 50, "abc123", 4, frozenset())
    assert len({canonical(text) for text in noise}) == 50
    assert all(kind.has_parts(text) and refusal(text) is None for text in noise)


def test_the_columns_of_a_list_make_a_text(kind, texts):
    values = ["Ada Roe", kind.parse(texts[0]).parts[-1]] if len(kind.fields) == 2 else [texts[0]]
    text = kind.composed(values)
    assert kind.refusal(text) is None
    if len(values) == 2:
        assert kind.composed(["Ada Roe", ""]) == "" == kind.composed(["", values[1]])


def test_neighbours_exchange_one_part_for_another(kind, texts):
    parts = {entry.stratum: entry for entry in kind.reference_parts()}
    assert "*" in parts
    for text in texts:
        first, last = kind.parse(text).parts
        other_lasts, other_firsts = kind.neighbours(text, parts, 3)
        assert len(set(other_lasts)) == len(set(other_firsts)) == 3
        assert all(kind.parse(other).parts[0] == first for other in other_lasts)
        assert all(kind.parse(other).parts[1] == last for other in other_firsts)
        assert text not in (*other_lasts, *other_firsts)
        assert kind.neighbours(text, parts, 3) == (other_lasts, other_firsts)


@pytest.mark.parametrize("method", ["recombine", "lone_parts", "across_strata"])
def test_decoys_are_new_distinct_and_of_the_asked_form(kind, texts, method):
    draw = getattr(kind.pool(texts, 400), method)
    forbidden = frozenset(canonical(text) for text in draw(20, 5, frozenset()))
    decoys = draw(60, 1, forbidden)
    keys = {canonical(text) for text in decoys}
    assert len(keys) == len(decoys) <= 60
    assert not keys & (forbidden | {canonical(text) for text in texts})
    assert {kind.has_parts(text) for text in decoys} <= {method != "lone_parts"}
    assert all(refusal(text) is None for text in decoys)
    moved = getattr(kind.pool(texts[::-1], 400), method)
    assert moved(60, 1, forbidden) == decoys
    assert decoys or method == "across_strata" or not lone(kind, texts)


def test_plausible_texts_come_from_elsewhere(kind, texts):
    taken = frozenset({canonical(texts[0])})
    drawn = kind.drawn(texts, 20, 3, taken, lambda some: [len(text) for text in some])
    assert len({canonical(text) for text in drawn}) == len(drawn) > 0
    assert not taken & {canonical(text) for text in drawn}


def test_a_list_of_it_gets_verdicts_by_a_bundle_of_it(kind, texts, tiny_target, tmp_path):
    scores = np.linspace(4.0, 12.0, 199)
    scorer = Scorer(ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}), scores, scores, 1e-6)
    spec = FeatureSpec(
        kind.reference_parts(),
        batch=32,
        families=by_family(HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1)),
        kind=kind.name,
    )
    bundle = Bundle(
        "tiny", tiny_target.fingerprint, kind.name, spec, scorer, scorer, 0.05, 1, {}, {}, {}
    )
    write_bundle(bundle, tmp_path / "bundle")
    judge = Judge(read_bundle(tmp_path / "bundle"), tiny_target)
    options, mixed = JudgeOptions(decoy_count=60), [*texts[:20], *lone(kind, texts)]
    verdicts = judge_texts(judge, mixed, options)
    assert verdicts.null.decoys >= 60 + bool(lone(kind, texts))
    assert verdicts.null.check is not None
    shape = ListShape.of(dict.fromkeys(mixed), kind)
    null = judge.null_of(judge.draw_decoys(shape, options, lambda _: ()), options)
    assert null.to_json() == verdicts.null.to_json()
    flags = [record["flags"].split() for record in verdicts.records()]
    assert ["one_part" in own for own in flags] == [not kind.has_parts(text) for text in mixed]

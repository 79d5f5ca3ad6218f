"""Extraction: rows belong to texts, whatever the order, the company or the cache."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuni.errors import SpecMismatch, TextError, TooFewTexts, UnusableScores
from tuni.features.extract import FeatureTable, extract
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.inversion import InversionSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family, family_named
from tuni.features.spec import FeatureSpec
from tuni.model.load import load_target
from tuni.texts.names import parse_name
from tuni.texts.neighbours import neighbours, parts_for
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import PROMPTS_8, PROMPTS_24

PARTS = all_reference_parts()
SPEC = FeatureSpec(
    PARTS,
    batch=32,
    families=by_family(
        HiddenSpec(prompts=("{}", "a photo of {}"), neighbours=3),
        NoiseSpec(draws=2, neighbours=2),
        JacobianSpec(directions=2, neighbours=2),
    ),
)
WIDE = FeatureSpec(
    PARTS,
    batch=32,
    families=by_family(
        GeometrySpec(PROMPTS_8[:2], PROMPTS_24[:3]), InversionSpec(restarts=1, steps=2)
    ),
)
NAMES = ["Jürgen Müller", "Ada Roe", "Bartholomew van der Zyl", "John Smith", "王小明", "John Zyl"]


class Shelf:
    """A cache in memory, which counts what is put into it."""

    def __init__(self):
        self.rows, self.put_texts = {}, []

    def get(self, family_key, texts):
        found = ((text, self.rows.get((family_key, text))) for text in texts)
        return {text: row for text, row in found if row is not None}

    def put(self, family_key, texts, columns):
        self.put_texts += texts
        for row, text in enumerate(texts):
            self.rows[family_key, text] = {name: array[row] for name, array in columns.items()}


class Counted:
    """Progress that adds up its stages."""

    def __init__(self):
        self.stages = {}

    @contextmanager
    def stage(self, label, total):
        self.stages[label] = [total, 0]

        def step(units):
            self.stages[label][1] += units

        yield step


def same(one, two):
    assert set(one.columns) == set(two.columns)
    for name, array in one.columns.items():
        assert np.array_equal(array, two.columns[name]), name


def test_columns_are_those_of_the_spec_in_the_order_of_the_input(tiny_target):
    table = extract(tiny_target, NAMES, SPEC)
    bases = {"hidden.0", "hidden.1", "hidden.norm", "noise"}
    bases |= {"jacobian_relative", "jacobian_absolute"}
    assert set(table.columns) == {
        base + kind for base in bases for kind in ("", ".other_lasts", ".other_firsts")
    }
    assert table.texts == tuple(NAMES)
    for row, name in enumerate(NAMES):
        alone = extract(tiny_target, [name], SPEC)
        for column, array in table.columns.items():
            assert np.array_equal(array[row], alone.columns[column][0]), column


def test_means_are_over_the_neighbours(tiny_target):
    table = extract(tiny_target, NAMES, SPEC, families=("hidden", "noise"))
    parts = {entry.stratum: entry for entry in PARTS}
    for row, text in enumerate(NAMES):
        name = parse_name(text)
        for family, column, count in (("hidden", "hidden.0", 3), ("noise", "noise", 2)):
            kinds = neighbours(name, parts_for(name, parts), count)
            for kind, others in zip(("lasts", "firsts"), kinds, strict=True):
                plain = extract(tiny_target, others, SPEC, families=(family,), neighbours=False)
                mean = plain.columns[column].astype(np.float64).mean(axis=0)
                found = table.columns[f"{column}.other_{kind}"][row]
                assert np.allclose(found, mean, rtol=1e-6, atol=1e-6)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(len(NAMES))), doubled=st.integers(0, len(NAMES) - 1))
def test_order_and_repeats_move_no_bit(tiny_target, order, doubled):
    whole = extract(tiny_target, NAMES, SPEC)
    rows = [*order, doubled]
    same(extract(tiny_target, [NAMES[row] for row in rows], SPEC), whole.take(rows))


def test_text_is_read_clean(tiny_target):
    odd = extract(tiny_target, ["  Ju\u0308rgen   Müller "], SPEC)
    same(odd, extract(tiny_target, ["Jürgen Müller"], SPEC))
    assert odd.texts == ("  Ju\u0308rgen   Müller ",)


@pytest.mark.parametrize("spec", [SPEC, WIDE], ids=["with neighbours", "without"])
def test_cached_rows_equal_fresh_ones(tiny_target, spec):
    shelf = Shelf()
    extract(tiny_target, NAMES[:3], spec, cache=shelf)
    mixed = extract(tiny_target, NAMES, spec, cache=shelf)
    fresh = extract(tiny_target, NAMES, spec)
    same(mixed, fresh)
    # own columns, and those of neighbours
    kinds = sum(1 + family_named(family).neighbours for family in spec.families)
    assert len(shelf.put_texts) == len(NAMES) * kinds
    same(extract(tiny_target, NAMES[::-1], spec, cache=shelf), fresh.take(range(5, -1, -1)))
    assert len(shelf.put_texts) == len(NAMES) * kinds


def test_cache_does_not_mix_specs_checkpoints_or_neighbours(tiny_target):
    shelf = Shelf()
    extract(tiny_target, ["Ada Roe"], SPEC, cache=shelf, families=("noise",))
    extract(tiny_target, ["Ada Roe"], SPEC, cache=shelf, families=("noise",), neighbours=False)
    other = FeatureSpec(PARTS, batch=32, families=by_family(NoiseSpec(draws=3, neighbours=2)))
    extract(tiny_target, ["Ada Roe"], other, cache=shelf, families=("noise",))
    keys = {key for key, _ in shelf.rows}
    assert len(keys) == 4  # own and neighbours of either spec; own ones serve with and without
    assert all(key.startswith(tiny_target.fingerprint) for key in keys)


def test_inversion_that_is_interrupted_keeps_what_was_done(tiny_target):
    texts = [f"Name{i} Other" for i in range(70)]
    spec = FeatureSpec(PARTS, batch=32, families=by_family(InversionSpec(restarts=1, steps=1)))
    shelf = Shelf()

    class Impatient(Counted):
        @contextmanager
        def stage(self, label, total):
            def step(_units):
                if shelf.rows:
                    raise KeyboardInterrupt

            yield step

    with pytest.raises(KeyboardInterrupt):
        extract(tiny_target, texts, spec, cache=shelf, progress=Impatient())
    assert len(shelf.rows) == 64
    same(extract(tiny_target, texts, spec, cache=shelf), extract(tiny_target, texts, spec))


def test_neighbours_that_are_interrupted_keep_what_was_done(tiny_target, monkeypatch):
    monkeypatch.setattr("tuni.features.work._NEW_NEIGHBOURS", 20)
    texts = [f"Name{i} Other{i % 7}" for i in range(30)]
    shelf = Shelf()

    class Impatient(Counted):
        @contextmanager
        def stage(self, label, total):
            def step(_units):
                if any(key.endswith(":o") for key, _ in shelf.rows):
                    raise KeyboardInterrupt

            yield step

    with pytest.raises(KeyboardInterrupt):
        extract(tiny_target, texts, SPEC, families=["hidden"], cache=shelf, progress=Impatient())
    done = [text for key, text in shelf.rows if key.endswith(":o")]
    assert 0 < len(done) < len(texts)
    found = extract(tiny_target, texts, SPEC, families=["hidden"], cache=shelf)
    monkeypatch.undo()
    same(found, extract(tiny_target, texts, SPEC, families=["hidden"]))


def test_progress_counts_distinct_texts_once(tiny_target):
    counted = Counted()
    extract(tiny_target, ["Ada Roe", "Ada Zyl", "Ada Roe"], SPEC, progress=counted)
    assert list(counted.stages) == [
        label for family in SPEC.families for label in (family, f"{family}, neighbours")
    ]
    assert all(done == total for total, done in counted.stages.values())
    assert counted.stages["hidden"][0] == 2
    # three other family parts that they share, three other given parts each
    assert counted.stages["hidden, neighbours"][0] == 3 + 6


def test_one_part_texts_go_without_neighbours(tiny_target):
    with pytest.raises(TextError, match="row 1 has one part"):
        extract(tiny_target, ["Ada Roe", "Madonna"], SPEC)
    table = extract(tiny_target, ["Madonna"], SPEC, neighbours=False)
    assert "hidden.0" in table.columns
    assert not any("other" in name for name in table.columns)
    assert extract(tiny_target, ["Madonna"], WIDE).texts == ("Madonna",)


def test_refused_and_long_texts_are_named_by_row_and_not_quoted(tiny_target):
    long = "Secret " + " ".join("abcdefghijklmnopqrstuv")
    for bad, reason in (("Se\u200bcret Roe", "row 1"), (long, "longer than the 24 tokens.*row 1")):
        with pytest.raises(TextError, match=reason) as caught:
            extract(tiny_target, ["Ada Roe", bad], SPEC)
        assert "ecret" not in str(caught.value)


def test_name_whose_neighbour_is_too_long_is_named(tiny_target):
    text = " ".join("abcdefghijklmno") + " Li"
    extract(tiny_target, [text], SPEC, families=("noise",), neighbours=False)
    giant = FeatureSpec(
        tuple(
            type(entry)(entry.stratum, entry.firsts, ("Rumpelstiltskinsson-Oxenstierna",) * 9)
            for entry in PARTS
        ),
        batch=32,
    )
    with pytest.raises(TextError, match="row 0"):
        extract(tiny_target, [text], giant, families=("hidden",))


def test_nothing_and_unknown_families_are_refused(tiny_target):
    with pytest.raises(TooFewTexts):
        extract(tiny_target, [], SPEC)
    with pytest.raises(SpecMismatch, match="inversion"):
        extract(tiny_target, NAMES, SPEC, families=("inversion",))


def test_columns_that_are_not_finite_are_refused_and_not_cached(make_folder):
    target, shelf = load_target(make_folder()), Shelf()
    target._text.positional_embedding.fill_(3e38)
    with pytest.raises(UnusableScores, match=r"hidden.*not finite"):
        extract(target, NAMES, SPEC, families=("hidden",), cache=shelf)
    assert not shelf.rows


def test_table_is_sliced_and_read_only():
    table = FeatureTable(("a", "b", "c"), {"x": np.arange(6, dtype=np.float32).reshape(3, 2)})
    assert table.take([2, 0]).texts == ("c", "a")
    assert table.take([2, 0]).columns["x"].tolist() == [[4, 5], [0, 1]]
    assert table.head(2).texts == ("a", "b")
    assert table.head(9).texts == table.texts
    with pytest.raises(ValueError, match="read-only"):
        table.columns["x"][0] = 1
    with pytest.raises(TypeError):
        table.columns["y"] = table.columns["x"]
    with pytest.raises(UnusableScores):
        FeatureTable(("a",), {"x": np.zeros((2, 1), dtype=np.float32)})

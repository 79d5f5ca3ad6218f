# ruff: noqa: RUF001 - look-alike signs are the matter of these tests
import csv
import datetime
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuni.errors import RequestError
from tuni.lists.files import open_subjects
from tuni.lists.labelled import read_subjects
from tuni.lists.writing import write_csv, write_table
from tuni.texts.text import clean_text, refusal

FORMULA = ("=", "+", "-", "@", "\t", "\r")
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_reads_back_and_no_cell_begins_a_formula(tmp_path: Path, pairs) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ("text", "note"), [{"text": a, "note": b} for a, b in pairs])
    with path.open(encoding="utf-8", newline="") as file:
        back = list(csv.reader(file, strict=True))[1:]
    assert len(back) == len(pairs)
    for written, original in zip(back, pairs, strict=True):
        for cell, value in zip(written, original, strict=True):
            assert cell in (value, f"'{value}")
            assert not cell.startswith(FORMULA) or float(cell) is not None


@given(
    st.lists(
        cells.map(clean_text).filter(lambda text: refusal(text) is None), min_size=1, max_size=5
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_written_list_can_be_read_as_a_list(tmp_path: Path, texts) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ("text",), [{"text": text} for text in texts])
    back = read_subjects(path)
    assert [text.removeprefix("'") for text in back.texts] == [
        text.removeprefix("'") for text in texts
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2-3", "'-2-3"),
        ("-2.5e-3", "-2.5e-3"),
        ("＝1+1", "'＝1+1"),
        ("Ada = Byron", "Ada = Byron"),
        (-0.25, "-0.25"),
        (0.1 + 0.2, "0.30000000000000004"),
        (float("nan"), "nan"),
        (float("-inf"), "'-inf"),
        (None, ""),
        (True, "1"),
        (3, "3"),
    ],
)
def test_cells_keep_numbers_and_disarm_formulas(tmp_path: Path, value, cell) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ("x", "=head"), [{"x": value, "other": "left out"}])
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["x", "'=head"], [cell, ""]]


def test_nothing_is_left_behind_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def rows():
        yield {"text": "Ada"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(path, ("text",), rows())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]  # noqa: PTH208
    with pytest.raises(RequestError):
        write_csv(tmp_path / "none" / "out.csv", ("text",), [])


def test_what_is_written_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ("text",), [{"text": "Ada"}])
    assert path.stat().st_mode & 0o077 == 0


def test_json_lines_hold_values_and_are_not_escaped(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    day = datetime.date(2026, 1, 2)
    rows = [{"text": "=Ada", "p": 0.5, "n": None, "more": [1]}, {"text": "José", "more": day}]
    write_table(path, ("text", "p", "more"), rows)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"text": "=Ada", "p": 0.5, "more": [1]},
        {"text": "José", "p": None, "more": "2026-01-02"},
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_parquet_keeps_types_and_writes_what_has_none_as_strings(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    day = datetime.date(2026, 1, 2)
    rows = [{"text": "=Ada", "p": 0.5, "day": day, "more": {"a": 1}}] + [{"text": "Bea"}] * 5000
    write_table(path, ("text", "p", "day", "more"), rows, {"p": pa.float64(), "day": pa.date32()})
    found = pq.read_table(path)
    assert found.schema.types == [pa.string(), pa.float64(), pa.date32(), pa.string()]
    assert found.num_rows == 5001
    assert found.to_pylist()[0] == {"text": "=Ada", "p": 0.5, "day": day, "more": '{"a": 1}'}
    assert found.to_pylist()[1] == {"text": "Bea", "p": None, "day": None, "more": None}


def test_a_value_that_fits_no_column_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written as Parquet") as caught:
        write_table(tmp_path / "o.parquet", ("p",), [{"p": "Ada"}], {"p": pa.float64()})
    assert "Ada" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert not list(tmp_path.iterdir())


def test_nested_values_become_json_in_a_csv(tmp_path: Path) -> None:
    write_table(tmp_path / "out.csv", ("more",), [{"more": {"a": [1]}}])
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == ['{"a": [1]}']


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_half_of_a_surrogate_pair_is_written_out_and_loses_no_file(tmp_path, suffix):
    """No file can hold it, and JSON Lines can bring it in a column that nobody looks at."""
    out = tmp_path / f"out{suffix}"
    write_table(out, ["text", "\ud800"], [{"text": "Ada Roe", "\ud800": "a\udfff"}])
    read = [row for _, row in open_subjects(out).rows()]
    ours = {"text": "Ada Roe", "\ud800": "a\udfff"}
    written_out = {"text": "Ada Roe", "\\ud800": "a\\udfff"}
    assert read == [ours if suffix == ".jsonl" else written_out]

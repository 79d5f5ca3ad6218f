import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuni.errors import TextError
from tuni.lists.files import open_subjects

ROWS = [{"id": 7, "text": "Ada Byron"}, {"id": 3, "text": None}, {"id": None, "text": "Bea Cole"}]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    if path.suffix == ".csv":
        cells = [",".join("" if one is None else str(one) for one in row.values()) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *cells]) + "\n")
    elif path.suffix == ".jsonl":
        path.write_text("\n\n".join(json.dumps(row) for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    ("name", "places", "ids", "nothing"),
    [
        ("a.csv", [2, 3, 4], ["7", "3", ""], ""),
        ("a.jsonl", [1, 3, 5], [7, 3, None], None),
        ("a.parquet", [1, 2, 3], [7, 3, None], None),
    ],
)
def test_every_format_gives_its_rows_again_and_again(
    tmp_path: Path, name: str, places: list[int], ids: list[object], nothing: object
) -> None:
    file = open_subjects(write(tmp_path / name, ROWS))
    assert file.columns == ("id", "text")
    for _ in range(2):
        rows = list(file.rows())
        assert [place for place, _ in rows] == places
        assert [row["id"] for _, row in rows] == ids
        assert [row["text"] for _, row in rows] == ["Ada Byron", nothing, "Bea Cole"]


def test_a_dictionary_encoded_column_holds_texts(tmp_path: Path) -> None:
    column = pa.array(["Ada", "Bea", "Ada"]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    file = open_subjects(tmp_path / "a.parquet")
    assert [row["text"] for _, row in file.rows()] == ["Ada", "Bea", "Ada"]
    assert file.types == {"text": pa.string()}


@pytest.mark.parametrize("sign", [";", ",", "\t"])
def test_the_separator_that_a_spreadsheet_wrote_is_taken(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "list.csv"
    rows = (("text", "id"), ("Ada Roe", "1"), ("Bob Poe", "2"))
    path.write_text(f"sep={sign}\r\n" + "".join(f"{a}{sign}{b}\r\n" for a, b in rows))
    file = open_subjects(path)
    for _ in range(2):
        read = list(file.rows())
        assert read == [(3, {"text": "Ada Roe", "id": "1"}), (4, {"text": "Bob Poe", "id": "2"})]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("list.json", '[{"text": "Ada"}]', "jsonl"),
        ("list.jsonl", '[{"text": "Ada"}]', "object a line"),
        ("list.jsonl", '[\n {"text": "Ada"}\n]', "object a line"),
        ("list.xlsx", "PK", ".csv in UTF-8"),
        ("list.csv.gz", "x", ".csv in UTF-8"),
    ],
)
def test_other_formats_are_refused_by_name(
    tmp_path: Path, name: str, content: str, word: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TextError, match=r"list\.") as refused:
        open_subjects(tmp_path / name)
    assert word in refused.value.fix


def test_keys_of_any_line_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Ada"}\n{"more": [1], "text": "Bea"}\n')
    assert open_subjects(path).columns == ("text", "more")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b"", ["is empty"]),
        ("a.jsonl", b'{"name": "Zebulon"}\n', ["no column text", "1 column of other names"]),
        (
            "a.jsonl",
            b'{"text": "Zebulon"}\n["Zebulon"]\n{"te',
            ["line 2: is not", "line 3"],
        ),
        ("a.jsonl", b'{"text": "Zebulon"}\n\xff\n', ["is not UTF-8 (line 2)"]),
        ("a.jsonl", b"[" * 100_000, ["one JSON array"]),
        ("a.parquet", b"Zebulon", ["cannot be read as Parquet"]),
        ("a.parquet", b"PAR1" + b"\xff" * 99 + b"PAR1", ["cannot be read as Parquet"]),
        ("a.csv", b"", ["is empty"]),
    ],
)
def test_what_is_no_such_table_is_refused_without_a_text(
    tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=name) as caught:
        open_subjects(tmp_path / name)
    for word in words:
        assert word in str(caught.value)
    assert "Zebulon" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("table", "word"),
    [
        (pa.table({"name": ["Ada"]}), "no column text"),
        (pa.table({"text": [1]}), "holds no texts"),
        (pa.table({"text": pa.array([], pa.string())}), "no rows"),
        (pa.table([["Ada"], ["Ada"]], ["text", "text"]), "column 2"),
    ],
)
def test_a_parquet_file_without_texts_is_refused(
    tmp_path: Path, table: pa.Table, word: str
) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(TextError, match=word):
        open_subjects(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_that_changes_or_is_none_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(TextError, match="cannot be read"):
        open_subjects(path)
    file = open_subjects(write(path, ROWS))
    write(path, [*ROWS, *ROWS])
    with pytest.raises(TextError, match="was changed while it was read"):
        list(file.rows())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(TextError, match="not a plain file"):
        open_subjects(path)


def test_rows_of_another_width_are_told_together_after_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,id\n" + "Ada\n" * 9 + "Bea,1\n")
    rows = open_subjects(tmp_path / "a.csv").rows()
    assert next(rows) == (11, {"text": "Bea", "id": "1"})
    with pytest.raises(TextError, match=r"line 2: has 1 columns.* and 4 more"):
        next(rows)


def test_a_line_without_end_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "Ada"}\n' + b"x" * 2**24)
    with pytest.raises(TextError, match="line 2 does not end"):
        open_subjects(tmp_path / "a.jsonl")

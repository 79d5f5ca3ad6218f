"""Watch lists in and out of files of every format."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.auditing.watchlists import export_list, import_file
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.watchlists import Watchlists
from tuni.errors import TextError, WatchlistNotFound

ROWS = [
    {"text": "Ada  Byron", "id": 7},
    {"text": "bad\u200b", "id": 8},
    {"text": "Bea Cole", "id": None},
    {"text": "ADA BYRON", "id": 9},
]


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    """Rows in the format of the suffix."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("name", "place"), [("a.csv", "line 3"), ("a.jsonl", "line 2"), ("a.parquet", "row 2")]
)
def test_every_format_gives_the_same_list(
    settings: Settings, tmp_path: Path, name: str, place: str
) -> None:
    file = write(tmp_path / name, ROWS)
    told = import_file(file, "staff", settings).text()
    assert told.startswith("staff: 2 new, 0 known, 1 repeated, 1 refused\n")
    assert f"  {place}: text " in told
    again = import_file(file, "staff", settings).text()
    assert again.startswith("staff: 0 new, 2 known, 1 repeated, 1 refused\n")
    with open_ledger(settings) as ledger:
        held = {one.text: one.columns for one in Watchlists(ledger).members("staff")}
    assert held == {"Ada Byron": {"id": "7"}, "Bea Cole": {}}
    out = tmp_path / f"out{file.suffix}"
    assert export_list("staff", out, settings) == 2
    assert import_file(out, "copy", settings).imported.new == 2


def test_a_person_who_comes_again_blocks_later_is_counted_as_repeated(
    settings: Settings, tmp_path: Path
) -> None:
    rows: list[dict[str, object]] = [{"text": f"Person Number{n}"} for n in range(4500)]
    came = import_file(write(tmp_path / "a.jsonl", [*rows, *rows[:3]]), "staff", settings)
    assert (came.imported.new, came.imported.known, came.imported.repeated) == (4500, 0, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text\n"Ada Byron"\n"Bea Cole",7\n'),
        ("a.jsonl", '{"text": "Ada Byron"}\n{"text"'),
        ("a.parquet", "text\nAda Byron\n"),
        ("a.csv", "text\nbad\u200b\n"),
        ("a.jsonl", '{"text": 7}\n'),
    ],
)
def test_a_file_that_cannot_be_used_makes_no_list(
    settings: Settings, csv_file: Callable[[str, str], Path], name: str, content: str
) -> None:
    with pytest.raises(TextError, match=name):
        import_file(csv_file(name, content), "staff", settings)
    with open_ledger(settings) as ledger, pytest.raises(WatchlistNotFound):
        Watchlists(ledger).get("staff")

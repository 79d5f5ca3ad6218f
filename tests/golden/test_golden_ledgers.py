"""A ledger of every schema that was ever written, kept as SQL, still opens and still knows."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, select

from registry import schema
from registry.home import Home
from registry.ledger import Ledger
from tuni.errors import HomeError

HERE = Path(__file__).parent
KEY = bytes(range(32))
# What tuni 0.1 derived from that key.
PSEUDONYM = "c07a4b328d015a7ba2526ea00d7ab7b2df299b893c3cdd13ef59e34031cf6c30"
SPLIT = "c2d99f073738c6a2789497aa892c39219e84247379ac6c8bf4b8e26f59dfcbcc"


@pytest.fixture
def old_home(tmp_path: Path) -> Home:
    home = Home.open(tmp_path / "home")
    home.key_file.write_bytes(KEY)
    home.key_file.chmod(0o600)
    with sqlite3.connect(home.ledger_file) as connection:
        connection.executescript((HERE / "ledger_0001.sql").read_text(encoding="utf-8"))
    connection.close()
    return home


def test_first_schema_is_upgraded_and_loses_only_its_cache(old_home: Home) -> None:
    with Ledger.open(old_home) as ledger:
        assert ledger.selected_on("m", 1, ["Ada Lovelace", "Somebody Else"]) == {0}
        assert ledger.find_checkpoint("f" * 64) == {"folder": "folder"}
        assert [move.alias for move in ledger.moves("m")] == ["champion"]
        assert ledger.readings("job")
        with ledger.engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(schema.features)) == 0


def test_pseudonyms_and_splits_of_the_first_schema_stay(old_home: Home) -> None:
    with Ledger.open(old_home) as ledger:
        assert ledger.keys.pseudonym("Ada Lovelace") == PSEUDONYM
        assert ledger.keys.split_key.hex() == SPLIT


def test_another_key_is_refused_for_the_first_schema_too(old_home: Home) -> None:
    old_home.key_file.write_bytes(bytes(32))
    with pytest.raises(HomeError, match="not the key that this ledger was written with"):
        Ledger.open(old_home)
    old_home.key_file.write_bytes(KEY)
    Ledger.open(old_home).close()

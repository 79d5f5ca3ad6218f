"""A ledger of every schema that was ever written, kept as SQL, still opens and still knows."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from registry.audits.audits import Audits
from registry.audits.rows import AuditRows
from registry.audits.watchlists import Watchlists
from registry.home import Home
from registry.ledger import row_seals, schema
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import HomeError, RowAltered, TrailBroken

HERE = Path(__file__).parent
KEY = bytes(range(32))
# What tuni 0.1 derived from that key.
PSEUDONYM = "c07a4b328d015a7ba2526ea00d7ab7b2df299b893c3cdd13ef59e34031cf6c30"
SPLIT = "c2d99f073738c6a2789497aa892c39219e84247379ac6c8bf4b8e26f59dfcbcc"
NAMES = {"Ada Lovelace", "Grace Hopper", "Alan Turing"}


def home_of(schema_version: str, folder: Path) -> Home:
    home = Home.open(folder)
    home.key_file.write_bytes(KEY)
    home.key_file.chmod(0o600)
    with sqlite3.connect(home.ledger_file) as connection:
        file = HERE / f"ledger_{schema_version}.sql"
        connection.executescript(file.read_text(encoding="utf-8"))
    connection.close()
    return home


@pytest.fixture
def old_home(tmp_path: Path) -> Home:
    return home_of("0001", tmp_path / "home")


@pytest.fixture
def unsealed_home(tmp_path: Path) -> Home:
    return home_of("0002", tmp_path / "home")


def test_first_schema_is_upgraded_and_loses_only_its_cache(old_home: Home) -> None:
    with Ledger.open(old_home) as ledger:
        assert ledger.selected_on("m", 1, ["Ada Lovelace", "Somebody Else"]) == {0}
        assert ledger.find_checkpoint("f" * 64) == {"folder": "folder"}
        assert [move.alias for move in ledger.moves("m")] == ["champion"]
        assert ledger.readings("labelled-test")
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


@pytest.mark.parametrize("schema_version", ["0002", "0003"])
def test_later_schemas_keep_all_they_know(schema_version: str, tmp_path: Path) -> None:
    with Ledger.open(home_of(schema_version, tmp_path / "home")) as ledger:
        assert ledger.selected_on("m", 1, ["Ada Lovelace", "Somebody Else"]) == {0}
        assert ledger.find_checkpoint("f" * 64) == {"folder": "folder"}
        assert [move.alias for move in ledger.moves("m")] == ["champion"]
        assert len(ledger.readings("labelled-test")) == 1
        features = EncryptedFeatureCache(ledger).get("k", ["Ada Lovelace"])
        assert features["Ada Lovelace"]["noise"].tolist() == [0.5, 0.25]
        assert {one.text for one in Watchlists(ledger).members("staff")} == NAMES
        (audit,) = Audits(ledger).list("staff")
        rows = AuditRows(ledger, audit.id)
        found = {(one.text, one.verdict.p_decoy, one.q_value) for one in rows.findings()}
        assert found == {(name, 0.25, 0.5) for name in NAMES}
        assert rows.counts() == (3, 3)
        assert Audits(ledger).list_null(audit.id) == b"{}"


def test_rows_of_the_second_schema_are_sealed_once_and_the_trail_says_how_many(
    unsealed_home: Home,
) -> None:
    for _ in range(2):
        with Ledger.open(unsealed_home) as ledger:
            last = list(Trail(ledger).entries())[-1]
            assert (last.action, last.details) == ("rows sealed", {"rows": 20})
            assert Trail(ledger).verify().entries == 4
    with sqlite3.connect(unsealed_home.ledger_file) as connection:
        connection.execute("UPDATE verdicts SET p_decoy = 0.001, seal = NULL")
    with Ledger.open(unsealed_home) as ledger:
        (audit,) = Audits(ledger).list("staff")
        with pytest.raises(RowAltered, match="verdicts"):
            AuditRows(ledger, audit.id).levels()


def test_ledger_passed_off_as_one_of_the_second_schema_is_not_sealed_again(
    unsealed_home: Home,
) -> None:
    Ledger.open(unsealed_home).close()
    with sqlite3.connect(unsealed_home.ledger_file) as connection:
        for table in row_seals.SEALED:
            connection.execute(f"ALTER TABLE {table.name} DROP COLUMN seal")
        connection.execute("ALTER TABLE watchlists DROP COLUMN subjects")
        for column in ("listed", "written", "levels"):
            connection.execute(f"ALTER TABLE audits DROP COLUMN {column}")
        connection.execute("UPDATE ledger_version SET version_num = '0002'")
        connection.execute("UPDATE checkpoints SET source = '{}'")
    with Ledger.open(unsealed_home) as ledger, pytest.raises(RowAltered, match="checkpoints"):
        ledger.find_checkpoint("f" * 64)


def put_back(home: Home, settings: Sequence[tuple[str, str]], *, cut_trail: bool = False) -> None:
    """What who writes the database can do with what he saw there before the rows were sealed."""
    with sqlite3.connect(home.ledger_file) as connection:
        connection.execute("UPDATE verdicts SET p_decoy = 0.001")
        connection.execute("DELETE FROM settings WHERE name IN ('root', 'key_check')")
        connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", settings)
        if cut_trail:
            connection.execute("DELETE FROM trail WHERE action = 'rows sealed'")
    connection.close()


def settings_of(home: Home, *names: str) -> list[tuple[str, str]]:
    with sqlite3.connect(home.ledger_file) as connection:
        rows = connection.execute("SELECT name, value FROM settings").fetchall()
    connection.close()
    return [(name, value) for name, value in rows if name in names]


@pytest.mark.parametrize(("schema_version", "cell"), [("0001", "key_check"), ("0002", "root")])
@pytest.mark.parametrize("known", ["known home", "new home"])
def test_cell_of_the_time_before_seals_has_no_row_sealed_again(
    schema_version: str, cell: str, known: str, tmp_path: Path
) -> None:
    home = home_of(schema_version, tmp_path / "home")
    before = settings_of(home, cell)
    Ledger.open(home).close()
    put_back(home, before)
    if known == "new home":
        home.sealed_note.unlink()
    for _ in range(2):
        with pytest.raises(HomeError, match=r"ledger\.db: .*never sealed(.*\n)*.*from a backup"):
            Ledger.open(home)


def test_state_before_seals_that_is_put_back_whole_is_refused_by_a_home_that_saw_them(
    unsealed_home: Home,
) -> None:
    before = settings_of(unsealed_home, "root", "trail_head")
    Ledger.open(unsealed_home).close()
    put_back(unsealed_home, before, cut_trail=True)
    note = unsealed_home.sealed_note
    with pytest.raises(HomeError, match=rf"ledger\.db: .*not sealed(.*\n)*.*remove {note}"):
        Ledger.open(unsealed_home)
    note.unlink()  # as the message says, for an old backup
    Ledger.open(unsealed_home).close()
    assert note.exists()


def test_ledger_with_a_broken_trail_is_not_sealed(unsealed_home: Home) -> None:
    with sqlite3.connect(unsealed_home.ledger_file) as connection:
        connection.execute("DELETE FROM trail WHERE number = 2")
    connection.close()
    with pytest.raises(TrailBroken, match="entry 2 is missing"):
        Ledger.open(unsealed_home)


def test_sealing_that_is_killed_is_done_at_the_next_opening(
    unsealed_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trail, "append_in", killed)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(unsealed_home)
    with Ledger.open(unsealed_home) as ledger:
        assert ledger.find_checkpoint("f" * 64) == {"folder": "folder"}
        assert Trail(ledger).verify().entries == 4

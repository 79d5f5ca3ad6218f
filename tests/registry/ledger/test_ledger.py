import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text, update

from registry.home import Home
from registry.keys.home_key import home_key
from registry.ledger import schema
from registry.ledger.database import needs_upgrade
from registry.ledger.ledger import Ledger
from registry.ledger.root_secret import ROOT
from tests.forked import run, run_all
from tuni.errors import CheckpointError, HomeError, RequestError

A, B = "a" * 64, "b" * 64


def test_migrations_and_tables_say_the_same(any_ledger: Ledger) -> None:
    with any_ledger.engine.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def test_opening_again_changes_nothing(any_ledger: Ledger) -> None:
    any_ledger.bind_checkpoint("m", A, {"folder": "/x"})
    with Ledger.open(any_ledger.home) as again:
        assert again.find_checkpoint(A) == {"folder": "/x"}


def test_name_is_bound_to_its_first_weights(any_ledger: Ledger) -> None:
    any_ledger.bind_checkpoint("m", A, {"folder": "/x"})
    with pytest.raises(CheckpointError, match="another name"):
        any_ledger.bind_checkpoint("m", B, {"folder": "/y"})
    assert any_ledger.find_checkpoint(B) is None
    assert any_ledger.find_checkpoint(A) == {"folder": "/x"}


def test_weights_that_moved_are_found_at_their_new_place(any_ledger: Ledger) -> None:
    any_ledger.bind_checkpoint("m", A, {"folder": "/old"})
    any_ledger.bind_checkpoint("m", A, {"folder": "/new"})
    assert any_ledger.find_checkpoint(A) == {"folder": "/new"}


def test_selection_is_found_by_person_model_and_version(any_ledger: Ledger) -> None:
    texts = [f"Person Number{n}" for n in range(1200)]
    any_ledger.record_selection("m", 3, texts)
    any_ledger.record_selection("m", 3, texts[:10])
    asked = ["Somebody Else", "PERSON  number7", texts[1199]]
    assert any_ledger.selected_on("m", 3, asked) == {1, 2}
    assert any_ledger.selected_on("m", 4, asked) == frozenset()
    assert any_ledger.selected_on("m", 3, []) == frozenset()


def test_each_reading_is_written_down(any_ledger: Ledger) -> None:
    for read_set in ("labelled-test", "labelled-test"):
        any_ledger.record_reading("job", read_set)
    any_ledger.record_reading("second", "labelled-test")
    any_ledger.record_reading("third", "other")
    found = any_ledger.readings("labelled-test")
    assert [one.job for one in found] == ["job", "job", "second"]
    assert all(one.read_at.utcoffset() is not None for one in found)
    assert any_ledger.readings("unread") == ()


def test_moves_are_kept_in_order(any_ledger: Ledger) -> None:
    any_ledger.record_move("m", 1, "champion", "first")
    any_ledger.record_move("m", 2, "champion", "better")
    assert [(one.version, one.reason) for one in any_ledger.moves("m")] == [
        (1, "first"),
        (2, "better"),
    ]


def test_exclusive_keeps_others_out_until_it_ends(any_ledger: Ledger) -> None:
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys; from pathlib import Path; import registry.ledger.ledger as r;"
        "r.LOCK_TIMEOUT_S = 1;"
        "from registry.home import Home;"
        "home = Home.open(Path(sys.argv[1]), database=sys.argv[2]);"
        "ledger = r.Ledger.open(home)\n"
        "with ledger.exclusive('x'): print('in')"
    )
    with any_ledger.exclusive("x"):
        refused = run(code, any_ledger.home.root, url)
    assert "HomeError" in refused.stderr
    assert "wait until" in refused.stderr
    assert "in" not in refused.stdout
    assert run(code, any_ledger.home.root, url).stdout == "in\n"


def test_another_key_is_refused_and_nothing_overwritten(any_ledger: Ledger, tmp_path: Path) -> None:
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    other = Home.open(tmp_path / "other", database=url)
    with pytest.raises(HomeError, match="not the key that this ledger was written with"):
        Ledger.open(other)
    Ledger.open(any_ledger.home).close()


def test_schema_of_a_newer_version_is_refused(any_ledger: Ledger) -> None:
    with any_ledger.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_version SET version_num = '9999'"))
    with pytest.raises(HomeError, match="schema 9999 was made by a newer version"):
        Ledger.open(any_ledger.home)


def test_processes_that_open_a_fresh_ledger_together_all_succeed(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.ledger.ledger import Ledger;"
        "home = Home.open(Path(sys.argv[1])); Ledger.open(home).close()"
    )
    assert [done.returncode for done in run_all(code, [[home.root]] * 4)] == [0, 0, 0, 0]


def test_default_is_write_ahead_logging(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "sqlite://"])
def test_url_that_cannot_be_used_is_refused_without_repeating_it(home: Home, url: str) -> None:
    with pytest.raises(RequestError) as caught:
        Ledger.open(replace(home, database=url or "x"))
    assert "secret" not in str(caught.value)


def test_database_out_of_reach_is_an_error_of_the_environment(home: Home) -> None:
    url = f"postgresql://nobody@/none?host={home.root}"
    with pytest.raises(HomeError, match="cannot open the database"):
        Ledger.open(replace(home, database=url))


def test_file_that_is_no_database_is_an_error_and_left_alone(home: Home) -> None:
    assert home_key(home)
    home.ledger_file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(HomeError, match="cannot open"):
        Ledger.open(home)
    assert home.ledger_file.read_bytes() == b"not a database at all" * 100


def test_migration_that_is_killed_leaves_nothing(home: Home) -> None:
    code = (
        "import os, sys; from pathlib import Path; from registry.home import Home\n"
        "from registry.ledger.ledger import Ledger; from alembic import op\n"
        "make = op.create_table\n"
        "def stop(name, *columns, **more):\n"
        "    make(name, *columns, **more)\n"
        "    if name == 'watchlists': os._exit(9)\n"
        "op.create_table = stop\n"
        "home = Home.open(Path(sys.argv[1]))\n"
        "Ledger.open(home)"
    )
    assert run(code, home.root).returncode == 9
    tables = sqlite3.connect(home.ledger_file).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == []
    Ledger.open(home).close()


def test_older_schema_on_a_shared_database_is_upgraded_only_on_request() -> None:
    known = {"0001", "0002"}
    with pytest.raises(HomeError, match="0001 is older than 0002"):
        needs_upgrade("0001", "0002", known, allowed=False)
    assert needs_upgrade("0001", "0002", known, allowed=True)
    assert needs_upgrade(None, "0002", known, allowed=False)
    assert not needs_upgrade("0002", "0002", known, allowed=False)


def test_only_an_upgrade_seals_a_shared_ledger(
    postgres: Callable[[], str], home: Home, tmp_path: Path
) -> None:
    """A home that is new to a ledger does not know whether its rows had seals before."""
    url = postgres()
    fresh = Home.open(tmp_path / "fresh", database=url)
    with Ledger.open(replace(home, database=url)) as ledger:
        shutil.copy2(home.key_file, fresh.key_file)
        wrapped = ledger.wrappers[1].wrap(ledger.root_secret, ROOT).hex()
        with ledger.engine.begin() as connection:
            mine = schema.settings.c.name == ROOT
            connection.execute(update(schema.settings).where(mine).values(value=f"1:{wrapped}"))
        for use in (ledger.load_keys, lambda: Ledger.open(fresh)):
            with pytest.raises(HomeError, match=r"not sealed\n.*`tuni ledger upgrade`"):
                use()
    Ledger.open(fresh, upgrade=True).close()
    Ledger.open(fresh).close()

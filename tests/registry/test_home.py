import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from registry.home import Home
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from registry.services.databases import prefect_database
from tests.forked import run
from tuni.detectors.bundle import read_bundle
from tuni.errors import HomeError


def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "deep" / "home")
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match="cannot be made"):
        Home.open(tmp_path / "file")
    with pytest.raises(HomeError, match="TUNI_HOME"):
        Home.open(tmp_path / "file" / "below")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o711, 0o750])
def test_home_that_others_may_enter_is_refused_and_the_fix_works(tmp_path: Path, mode: int) -> None:
    home = tmp_path / "made beforehand"
    home.mkdir()
    home.chmod(mode)
    with pytest.raises(HomeError, match="others may enter it") as caught:
        Home.open(home)
    subprocess.run(caught.value.fix, shell=True, check=True)
    Home.open(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="another account: only root gives a folder away")
def test_home_of_another_account_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    os.chown(tmp_path / "home", 12345, 12345)
    with pytest.raises(HomeError, match="another account"):
        Home.open(tmp_path / "home")


STRANGE = "a ?mode=ro#b%41é&c=;+@:'\"$\\ ..d"  # what means something in an address or a shell


def test_home_of_any_name_keeps_everything_inside(
    tmp_path: Path, make_bundle: Callable[..., Path]
) -> None:
    bundle = make_bundle()
    home = Home.open(tmp_path / STRANGE)
    with Ledger.open(home) as ledger:
        ledger.record_selection("m", 1, ["Ada Lovelace"])
        store = ModelStore(home, None, ledger)
        store.register("m", bundle, tags={})
        store.promote("m", 1, "first")
        assert read_bundle(store.pull("m")).seed == 0
    home.folder("prefect")
    for url in (home.optuna_url, prefect_database(home, None).replace("+aiosqlite", "")):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE made (x INTEGER)"))
        engine.dispose()
    for name in ("ledger.db", "mlflow.db", "optuna.db", "prefect/prefect.db"):
        with closing(sqlite3.connect(home.root / name)) as database:
            query = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
            assert database.execute(query).fetchone()[0] > 0
    assert (home.root / "artifacts").is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {STRANGE, bundle.name}


def test_lock_is_held_against_other_processes(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home\n"
        "with Home.open(Path(sys.argv[1])).lock('x', 0.1): pass"
    )
    with home.lock("x"):
        refused = run(code, home.root)
    assert "another tuni process" in refused.stderr
    assert run(code, home.root).returncode == 0

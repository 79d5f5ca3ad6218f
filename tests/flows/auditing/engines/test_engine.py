"""Which engine a name means, and what is refused before anything is loaded."""

import sys
from pathlib import Path

import pytest

from flows.auditing.engines.engine import check_engine
from flows.machine.settings import Settings
from tuni.errors import RequestError

TEAM = "postgresql://ada@host/ledger"


def test_every_engine_that_there_is_passes(tmp_path: Path) -> None:
    for name in ("local", "ray", "ray://head:6379"):
        assert check_engine(name, Settings(home=tmp_path, ledger_url=TEAM)) == name


@pytest.mark.parametrize("name", ["", "magic", "ray:", "ray://", "ray://head", "ray://:1", "Ray"])
def test_no_other_name_is_an_engine(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no engine"):
        check_engine(name, Settings(home=tmp_path, ledger_url=TEAM))


@pytest.mark.parametrize("url", [None, "sqlite:////shared/ledger.db"])
def test_machines_do_not_share_a_sqlite_file(url: str | None, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ledger_url=url)
    assert check_engine("ray", settings) == "ray"
    with pytest.raises(RequestError, match="SQLite") as refused:
        check_engine("ray://head:6379", settings)
    assert "TUNI_LEDGER_URL" in refused.value.fix


def test_ray_is_asked_for_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match="not installed") as refused:
        check_engine("ray", Settings(home=tmp_path))
    assert "tuni-audit[ray]" in refused.value.fix
    assert check_engine("local", Settings(home=tmp_path)) == "local"

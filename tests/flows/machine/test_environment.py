"""Prefect hears of our home before it is imported, and our log is one file of it."""

import json
import logging
import os
from datetime import datetime
from urllib.request import proxy_bypass

import pytest

from flows.machine.environment import log_to, prepare
from flows.machine.home import open_home
from flows.machine.settings import Settings
from registry.services.databases import prefect_database
from registry.services.logins import server_login
from registry.services.processes import digest, listen, start
from tuni.errors import HomeError


@pytest.fixture
def empty_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "DO_NOT_"))]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("empty_environment")
def test_prefect_is_kept_in_the_home_and_sends_nothing(tmp_path):
    prepare(Settings(home=tmp_path))
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert "PREFECT_API_URL" not in os.environ


def test_a_home_is_called_new_once(tuni, home):
    assert f"new home {home};" in tuni("audits", "list").err
    assert "new home" not in tuni("audits", "list").err


def test_a_home_that_cannot_be_looked_at_is_refused_as_one(tuni, tmp_path, refused):
    refused(tuni("audits", "list", home=tmp_path / ("x" * 300)), "home", "TUNI_HOME", code=1)


@pytest.mark.usefixtures("empty_environment")
def test_no_proxy_stands_before_our_own_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.setenv("no_proxy", "")
    for _ in range(2):
        prepare(Settings(home=tmp_path))
        for name in ("NO_PROXY", "no_proxy"):
            assert os.environ[name] == "intranet.example,127.0.0.1,localhost,::1"
        assert proxy_bypass("127.0.0.1:4200")
    assert not proxy_bypass("elsewhere.example")


@pytest.mark.usefixtures("empty_environment")
def test_what_the_user_set_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", "elsewhere")
    prepare(Settings(home=tmp_path))
    assert os.environ["PREFECT_HOME"] == "elsewhere"


@pytest.mark.usefixtures("empty_environment")
def test_flows_go_to_the_server_of_the_home_while_it_runs(tmp_path):
    settings = Settings(home=tmp_path / "home")
    home = open_home(settings)
    store = digest(prefect_database(home, None))
    with listen(0) as handle:
        server = start(home, "prefect", ["sleep", "600"], os.environ, store=store, listening=handle)
    try:
        prepare(settings)
        assert os.environ["PREFECT_API_URL"] == f"{server.address}/api"
        assert os.environ["PREFECT_API_AUTH_STRING"] == server_login(home, "prefect").line
    finally:
        server.end(by_force=True)


@pytest.mark.usefixtures("empty_environment")
def test_on_a_postgres_the_embedded_server_uses_the_same_database(tmp_path):
    prepare(Settings(home=tmp_path, database_url="postgresql://u@h/d"))
    database = os.environ["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert database == "postgresql+asyncpg://u@h/d_prefect"


def test_the_log_is_a_file_and_nothing_goes_to_the_terminal(tmp_path, capsys):
    log_to(tmp_path / "logs")
    for package in ("tuni", "registry", "flows"):
        logging.getLogger(f"{package}.part").info("from %s", package)
    lines = (tmp_path / "logs" / "tuni.log").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(" from ")[1] for line in lines] == ["tuni", "registry", "flows"]
    assert all("INFO" in line for line in lines)
    assert capsys.readouterr() == ("", "")


def test_the_log_may_be_json_lines(tmp_path):
    log_to(tmp_path / "logs", "json")
    logging.getLogger("flows.part").warning('two "lines"\nof %d', 1)
    (line,) = (tmp_path / "logs" / "tuni.log").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert datetime.fromisoformat(told.pop("time")).tzinfo is not None
    assert told == {"level": "WARNING", "logger": "flows.part", "message": 'two "lines"\nof 1'}


def test_a_folder_that_cannot_be_made_is_the_homes_fault(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(HomeError, match="cannot be written") as raised:
        log_to(tmp_path / "logs")
    assert "TUNI_HOME" in raised.value.fix

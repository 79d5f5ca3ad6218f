"""The store's address as messages show it."""

import os

import pytest

from registry.home import Home
from registry.models.connection import Tracking, configure
from registry.services.logins import server_login
from registry.services.processes import digest, listen, start
from tuni.errors import RequestError, TrackingError


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sqlite:////srv/tuni/mlflow.db", "sqlite:////srv/tuni/mlflow.db"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("sqlite:////srv/a@b/mlflow.db", "sqlite:////srv/a@b/mlflow.db"),
        ("http://ada:secret@host:5000/path", "http://host:5000/path"),
        ("http://host:5000", "http://host:5000"),
        ("postgresql://ada:secret@host/db", "postgresql://host/db"),
        ("postgresql+psycopg://host/db?password=secret", "postgresql+psycopg://host/db"),
    ],
)
def test_an_address_is_the_uri_without_what_logs_in(home: Home, uri: str, address: str) -> None:
    assert Tracking(uri, home).address == address


def test_a_home_of_its_own_is_the_default_store(home: Home) -> None:
    assert configure(home).uri == home.mlflow_uri
    assert configure(home).address == home.mlflow_uri


def test_a_store_that_is_served_is_reached_through_its_server_with_its_login(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "another's")
    store = digest(home.mlflow_uri)
    with listen(0) as handle:
        server = start(home, "mlflow", ["sleep", "600"], os.environ, store=store, listening=handle)
    try:
        assert configure(home, "http://127.0.0.1:1").foreign
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "another's"
        tracking = configure(home)
        assert (tracking.uri, tracking.foreign) == (server.address, False)
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == server_login(home, "mlflow").password
        assert configure(home, "sqlite:////elsewhere.db").uri == "sqlite:////elsewhere.db"
    finally:
        server.end(by_force=True)
    assert configure(home).uri == home.mlflow_uri


@pytest.mark.parametrize("uri", ["ftp://host/x", "host:5000", "/srv/mlruns"])
def test_what_is_no_store_is_refused_without_being_repeated(home: Home, uri: str) -> None:
    with pytest.raises(RequestError, match="TUNI_TRACKING_URI") as raised:
        configure(home, uri)
    assert uri not in str(raised.value)


def test_an_error_while_talking_to_the_store_becomes_one_of_ours(home: Home) -> None:

    tracking = Tracking("http://ada:secret@host:5000", home)
    with (
        pytest.raises(TrackingError, match="cannot log metrics") as raised,
        tracking.errors("log metrics"),
    ):
        raise ConnectionResetError(104, "Connection reset by peer")
    assert "secret" not in str(raised.value)

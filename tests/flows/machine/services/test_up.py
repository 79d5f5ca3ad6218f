"""What `tuni up` refuses before it starts anything; tests/e2e starts the real services."""

import socket

import pytest


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def nothing_runs(tuni):
    """Says that nothing was started."""

    def check():
        done = tuni("status", "--json")
        assert done.code == 1
        services = done.result()["services"]
        assert {name: one["state"] for name, one in services.items()} == dict.fromkeys(
            ("mlflow", "prefect", "worker"), "stopped"
        )
        assert all(one["pid"] is None for one in services.values())

    return check


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_both_ports_are_looked_at_before_anything_starts(tuni, refused, taken, nothing_runs, name):
    refused(tuni("up", f"--{name}-port", taken), f"{name}: port {taken}", f"--{name}-port")
    nothing_runs()


def test_a_port_of_the_environment_counts_too(tuni, refused, taken):
    refused(tuni("up", TUNI_MLFLOW_PORT=str(taken)), f"mlflow: port {taken}")


def test_runs_that_are_kept_elsewhere_need_no_server_here(tuni, refused, nothing_runs):
    refused(tuni("up", TUNI_TRACKING_URI="http://127.0.0.1:1"), "TUNI_TRACKING_URI")
    nothing_runs()


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("mysql://u:Zebulon@h/d", 2, "not the URL of a Postgres database"),
        ("postgresql://u:Zebulon@127.0.0.1:1/d", 1, "cannot reach the database"),
    ],
)
def test_a_database_that_cannot_be_used_stops_it(tuni, refused, nothing_runs, url, code, word):
    refused(tuni("up", TUNI_DATABASE_URL=url), word, code=code)
    nothing_runs()


def test_down_in_a_home_where_nothing_runs_does_nothing(tuni, home):
    for _ in range(2):
        done = tuni("down")
        assert done.code == 0
        assert done.out.count("stopped") == 3
    assert not (home / "mlflow.db").exists()


def test_status_without_a_server_exports_nothing_and_says_so(tuni, refused):
    refused(tuni("status", "--env"), "tuni up", code=1)

"""MLflow and Prefect each have a database of their own, in the home or on one Postgres."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from registry.services.databases import make_databases, mlflow_database, prefect_database
from tuni.errors import EnvironmentFault, RequestError

POSTGRES = "postgresql://team:s%40cret@db.example:5433/audits?sslmode=require"


def test_without_a_postgres_they_are_files_of_the_home(home):
    assert mlflow_database(home, None) == home.mlflow_uri
    assert prefect_database(home, None) == f"sqlite+aiosqlite:///{home.root}/prefect/prefect.db"


def test_on_a_postgres_each_gets_its_driver_and_its_database(home):
    mlflow, prefect = (
        make_url(make(home, POSTGRES)) for make in (mlflow_database, prefect_database)
    )
    assert (mlflow.drivername, mlflow.database) == ("postgresql+psycopg", "audits_mlflow")
    assert (prefect.drivername, prefect.database) == ("postgresql+asyncpg", "audits_prefect")
    assert mlflow.password == prefect.password == "s@cret"
    assert mlflow.query == {"sslmode": "require"}
    assert prefect.query == {"ssl": "require"}


@pytest.mark.parametrize(
    "url", ["no url", "sqlite:///x.db", "mysql://u:hidden@h/d", "postgresql://u:hidden@h"]
)
def test_another_url_is_refused_without_repeating_it(home, url):
    for use in (lambda: mlflow_database(home, url), lambda: make_databases(url)):
        with pytest.raises(RequestError, match="TUNI_DATABASE_URL") as raised:
            use()
        assert "hidden" not in str(raised.value)


def test_the_databases_are_made_once(postgres):
    url = postgres()
    make_databases(url)
    make_databases(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        names = set(connection.scalars(text("SELECT datname FROM pg_database")))
    engine.dispose()
    own = make_url(url).database
    assert {f"{own}_mlflow", f"{own}_prefect"} <= names


def test_a_server_that_is_away_is_told_without_the_password():
    with pytest.raises(EnvironmentFault, match="cannot reach the database") as raised:
        make_databases("postgresql://u:hidden@127.0.0.1:1/audits")
    assert 'CREATE DATABASE "audits_mlflow"' in raised.value.fix
    assert "hidden" not in str(raised.value)


def test_an_account_that_may_not_create_them_is_told_what_to_ask_for(postgres):
    url = postgres()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP ROLE IF EXISTS meek"))
        connection.execute(text("CREATE ROLE meek LOGIN"))
    engine.dispose()
    meek = make_url(url).set(username="meek").render_as_string(hide_password=False)
    with pytest.raises(EnvironmentFault, match="cannot create the database"):
        make_databases(meek)

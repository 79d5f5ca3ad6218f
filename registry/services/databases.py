"""Where MLflow and Prefect keep what they keep: files of the home, or databases of a Postgres.

The one law: each has a database of its own. Their tables would collide in a shared one.
"""

from typing import TYPE_CHECKING

from registry.home import Home, sqlite_url
from tuni.errors import EnvironmentFault, RequestError

if TYPE_CHECKING:  # takes a moment to import, and most homes have no Postgres
    from sqlalchemy.engine import URL

DRIVERS = {"mlflow": "postgresql+psycopg", "prefect": "postgresql+asyncpg"}


def mlflow_database(home: Home, postgres: str | None) -> str:
    """Database URL of MLflow: a file of the home, or ``DATABASE_mlflow`` beside the named one."""
    return home.mlflow_uri if postgres is None else _beside(postgres, "mlflow")


def prefect_database(home: Home, postgres: str | None) -> str:
    """Database URL of Prefect: a file of the home, or ``DATABASE_prefect``."""
    if postgres is None:
        return sqlite_url(home.prefect / "prefect.db", "sqlite+aiosqlite")
    return _beside(postgres, "prefect")


def make_databases(postgres: str) -> None:
    """Create both databases where they are missing.

    Raises:
        RequestError: Not the URL of a Postgres database.
        EnvironmentFault: It does not answer, or the account may not create databases.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    url = _parsed(postgres).set(drivername="postgresql+psycopg")
    names = [f"{url.database}_{service}" for service in DRIVERS]
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args={"connect_timeout": 5},
    )
    quote = engine.dialect.identifier_preparer.quote_identifier
    doing = "reach the database"
    try:
        with engine.connect() as connection:
            there = set(connection.scalars(text("SELECT datname FROM pg_database")))
            for name in names:
                if name not in there:
                    doing = f"create the database {name}"
                    connection.execute(text(f"CREATE DATABASE {quote(name)}"))
    except SQLAlchemyError as error:
        made = "; ".join(f"CREATE DATABASE {quote(name)}" for name in names)
        raise EnvironmentFault(
            f"TUNI_DATABASE_URL: cannot {doing} ({type(error.__cause__ or error).__name__})",
            f"see that the server runs, and let its administrator do: {made}",
        ) from None  # the cause may repeat the URL with its password
    finally:
        engine.dispose()


def _beside(postgres: str, service: str) -> str:
    url = _parsed(postgres)
    query = dict(url.query)
    if service == "prefect" and "sslmode" in query:  # the two drivers name it differently
        query["ssl"] = query.pop("sslmode")
    beside = url.set(drivername=DRIVERS[service], database=f"{url.database}_{service}", query=query)
    return beside.render_as_string(hide_password=False)


def _parsed(postgres: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(postgres)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgres", "postgresql") or not url.database:
        raise RequestError(
            "TUNI_DATABASE_URL: not the URL of a Postgres database",
            "give postgresql://USER:PASSWORD@HOST/DATABASE, or leave it out for files in the home",
        )
    return url

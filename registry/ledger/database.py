"""The ledger's database: engines, schema versions, foreign errors.

The one law: an error of SQLAlchemy or a driver leaves this room as one of ours.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from registry.home import Home
from registry.ledger.schema import VERSION_TABLE, subjects
from tuni.errors import HomeError, RequestError

_UPGRADE_LOCK = 0x74756E69  # any constant that our processes share ("tuni")
_PEOPLE_LOCK = 0x70656F70  # likewise ("peop")
_CONNECT_TIMEOUT_S = 5
CHUNK = 500  # rows or values in one statement


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises into `HomeError`.

    Args:
        doing: What was tried, for the message, e.g. ``"read features"``.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        if "full" in str(cause) or "No space left" in str(cause):
            fix = "make room on the disk, then repeat the command"
        elif "locked" in str(cause) or type(cause).__name__ == "LockNotAvailable":
            fix = "wait until the other tuni process is done, then repeat the command"
        else:
            fix = "see that the database runs, is reachable and undamaged (`tuni doctor`)"
        raise HomeError(f"ledger: cannot {doing} ({type(cause or error).__name__})", fix) from error


def open_engine(url: str) -> Engine:
    """An engine for a SQLite or Postgres URL; nothing is connected yet.

    Raises:
        RequestError: Not such a URL. The message never repeats it, since it may hold a password.
    """
    fix = "give sqlite:////absolute/path.db or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        parsed = _with_driver(make_url(url))
        if parsed is None:
            raise RequestError("ledger: neither a SQLite nor a Postgres URL", fix)
        lite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = (  # Any: keyword arguments of two drivers
            {}
            if lite
            else {"pool_pre_ping": True, "connect_args": {"connect_timeout": _CONNECT_TIMEOUT_S}}
        )
        # Parameters hold pseudonyms and ciphertexts: keep them out of error texts.
        engine = create_engine(parsed, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise RequestError(
            "ledger: the driver for Postgres is not installed", "in the checkout: make install"
        ) from error
    except (ArgumentError, ImportError) as error:
        raise RequestError("ledger: the database URL cannot be read", fix) from error
    if lite:
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def prepare(engine: Engine, home: Home, *, upgrade: bool) -> None:
    """Bring the schema to the version that this code knows, or refuse.

    Args:
        engine: The ledger's engine.
        home: Its lock keeps two first uses apart.
        upgrade: Whether an older schema is upgraded. An empty database is always set up.

    Raises:
        HomeError: Newer than this code, older and not to be upgraded, or out of reach.
    """
    lite = engine.dialect.name == "sqlite"
    head, known = _known_revisions()
    with database_errors("open the database"):
        if _current(engine) == head:
            return
        with home.lock("ledger"), engine.begin() as connection:
            if not lite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _UPGRADE_LOCK})
            current = _revision(connection)
            if not needs_upgrade(current, head, known, allowed=upgrade):
                return
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def needs_upgrade(
    current: str | None, head: str | None, known: Collection[str], *, allowed: bool
) -> bool:
    """Whether a database's schema must be brought to ``head`` before use.

    Args:
        current: Revision of the database; None where it is empty.
        head: Newest revision of this code.
        known: All revisions of this code.
        allowed: Whether an older schema may be upgraded.

    Raises:
        HomeError: A revision that this code does not know, or older and not allowed.
    """
    if current == head:
        return False
    if current is not None and current not in known:
        raise HomeError(
            f"ledger: schema {current} was made by a newer version of tuni; this one knows up to "
            f"{head}",
            "install the newer version of tuni, or set TUNI_HOME to another folder",
        )
    if current is not None and not allowed:
        raise HomeError(
            f"ledger: schema {current} is older than {head}, which this version of tuni needs",
            "when no other machine uses this database: tuni ledger upgrade",
        )
    return True


def moment(when: datetime) -> datetime:
    """A time from the database as UTC; SQLite gives it back without its zone."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def take_turn(connection: Connection, *, erasing: bool = False) -> None:
    """Wait for one's turn to write about subjects: who erases some is alone, until both are done.

    To be asked first in a transaction, so before the audit trail: all ask in this order, and
    nobody waits for ever. Without it a subject could be let go between being looked up and being
    referred to.

    Args:
        connection: In a transaction.
        erasing: Subjects are deleted.
    """
    if connection.dialect.name == "sqlite":
        # A write that changes nothing takes SQLite's one write lock. A transaction that begins
        # with reading may not write later if another one wrote meanwhile (SQLITE_BUSY at once).
        connection.execute(subjects.delete().where(subjects.c.id < 0))
    else:
        shared = "" if erasing else "_shared"
        connection.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:n)"), {"n": _PEOPLE_LOCK})


@contextmanager
def durable(engine: Engine) -> Iterator[Connection]:
    """A transaction that outlives a loss of power as soon as it has ended.

    On SQLite other transactions may be lost then, never half of one.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite" and connection.connection.driver_connection:
            connection.connection.driver_connection.execute("PRAGMA synchronous=FULL")
        with connection.begin():
            yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection all of whose reads see one moment, whatever others write meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":  # where it is so by itself
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def insert_ignore(
    database: Engine | Connection, table: Any, *known: Column[Any]
) -> Any:  # Any: no common base type
    """An insert that leaves rows alone which are already there.

    Args:
        database: Says which dialect.
        table: Where the rows go.
        known: Columns by which a row is there already; without them by any that are unique.
    """
    build = sqlite.insert if database.dialect.name == "sqlite" else postgresql.insert
    return build(table).on_conflict_do_nothing(index_elements=known or None)


def _current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def known_head() -> str:
    """The newest schema that this code knows."""
    return str(_known_revisions()[0])


def _known_revisions() -> tuple[str | None, set[str]]:
    scripts = ScriptDirectory.from_config(_config())
    return scripts.get_current_head(), {step.revision for step in scripts.walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "registry.ledger:migrations")
    return config


def _with_driver(url: URL) -> URL | None:
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    return url if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database else None


def _set_pragmas(connection: Any, _record: object) -> None:  # Any: the driver's connection
    # The driver begins transactions late and commits before DDL: a migration that is killed would
    # leave half a schema. So we begin them ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    # The timeout first: switching to WAL already needs the lock.
    for pragma in (
        "busy_timeout=60000",  # several processes may write in turn on a busy machine
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=NORMAL",
        "secure_delete=ON",  # what is erased leaves no bytes in free pages
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")

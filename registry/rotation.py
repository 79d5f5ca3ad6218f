"""Replacing the home's key: every wrapped key is wrapped anew, what they encrypt stays.

The one law: at every moment either key file opens the whole ledger, so a rotation that is killed
anywhere goes on with the same command, and others work on while it runs.
"""

from collections.abc import Callable

from sqlalchemy import bindparam, func, select, update

from registry import schema
from registry.database import database_errors
from registry.keys import Wrapper, adopt_next, next_file, read_key, write_key
from registry.ledger import ROOT, Ledger
from registry.subjects import rewrap
from registry.trail import Trail
from tuni.errors import RequestError

_ROWS = 2000

PEOPLE, SETTINGS = schema.subjects, schema.settings


def wrapped_keys(ledger: Ledger) -> int:
    """How many data keys a rotation has still to wrap anew."""
    old = PEOPLE.c.generation == ledger.generation
    with database_errors("count the keys"), ledger.engine.connect() as connection:
        return int(
            connection.execute(select(func.count()).select_from(PEOPLE).where(old)).scalar_one()
        )


def rotate(ledger: Ledger, step: Callable[[int], None]) -> int:
    """Replace the home's key; an interrupted rotation goes on.

    Args:
        ledger: Open with the present key; holds the new one afterwards.
        step: Told how many data keys were wrapped anew.

    Returns:
        The new generation.

    Raises:
        RequestError: The key is in a variable, so that no file can be replaced.
        HomeError: The new key cannot be written, or the database does not answer.
    """
    if ledger.home.key_text is not None:
        raise RequestError(
            "TUNI_KEY: a key in a variable cannot be replaced",
            "put it into a file, name that with TUNI_KEY_FILE, and unset TUNI_KEY",
        )
    with ledger.exclusive("rotation"):
        coming = next_file(ledger.home)
        ledger.load_keys()  # ends a rotation that only lacks its last step
        with ledger.home.lock("key"):
            if not coming.exists():
                write_key(coming)
        ledger.load_keys()
        key = read_key(coming)
        fresh = Wrapper(key)
        old = ledger.generation
        while not _finish(ledger, fresh, old):
            while done := _rewrap_some(ledger, fresh, old):
                step(done)
        adopt_next(ledger.home, key)
        ledger.load_keys()
        return old + 1


def _rewrap_some(ledger: Ledger, fresh: Wrapper, old: int) -> int:
    """Wrap a block of data keys anew; how many."""
    query = (
        select(PEOPLE.c.id, PEOPLE.c.pseudonym, PEOPLE.c.wrapped)
        .where(PEOPLE.c.generation == old)
        .limit(_ROWS)
    )
    change = (
        update(PEOPLE)
        # A key of a subject that was erased meanwhile is not there to be changed.
        .where(PEOPLE.c.id == bindparam("key"), PEOPLE.c.generation == old)
        .values(wrapped=bindparam("fresh"), generation=old + 1)
    )
    with database_errors("wrap the data keys anew"):
        with ledger.engine.connect() as connection:
            rows = connection.execute(query).all()
        if rows:
            changed = [
                {"key": row.id, "fresh": rewrap(ledger, row.pseudonym, row.wrapped, old, fresh)}
                for row in rows
            ]
            with ledger.engine.begin() as connection:
                connection.execute(change, changed)
    return len(rows)


def _finish(ledger: Ledger, fresh: Wrapper, old: int) -> bool:
    """Wrap the root secret anew, if no data key of the old generation is left."""
    mine = SETTINGS.c.name == ROOT
    left = select(func.count()).select_from(PEOPLE).where(PEOPLE.c.generation == old)
    with database_errors("wrap the root secret anew"), ledger.engine.begin() as connection:
        # The update comes first: it holds the row against writers (`Ledger.require_generation`)
        # and is taken back where one of them was faster.
        known = ledger.root_secret
        value = f"{old + 1}:{fresh.wrap(known, ROOT).hex()}"
        connection.execute(update(SETTINGS).where(mine).values(value=value))
        if connection.execute(left).scalar_one():
            connection.rollback()
            return False
        Trail(ledger).append_in(connection, "key rotated", generation=old + 1)
    return True

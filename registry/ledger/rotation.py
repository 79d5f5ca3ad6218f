"""Replacing the home's key: every wrapped key is wrapped anew, what they encrypt stays.

The one law: at every moment either key file opens the whole ledger, so a rotation that is killed
anywhere goes on with the same command, and others of this home work on while it runs. Which key
comes is noted in the ledger, so that another machine cannot go on with another one.
"""

import hashlib
from collections.abc import Callable

from sqlalchemy import Connection, bindparam, delete, func, select, update

from registry.keys import secret_file
from registry.keys.home_key import Wrapper, adopt_next, next_file, read_key, write_key
from registry.ledger import schema
from registry.ledger.database import database_errors, durable, insert_ignore
from registry.ledger.ledger import Ledger
from registry.ledger.root_secret import ROOT, SEALED_ROOT
from registry.ledger.subjects import rewrap
from registry.ledger.trail import Trail
from tuni.errors import HomeError, RequestError

_ROWS = 2000
COMING, OWED = "key to come", "rotation owed"  # settings: digest of the next key; people erased

PEOPLE, SETTINGS = schema.subjects, schema.settings


def wrapped_keys(ledger: Ledger) -> int:
    """How many data keys a rotation has still to wrap anew."""
    old = PEOPLE.c.generation == ledger.generation
    with ledger.reading("count the keys") as connection:
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
        HomeError: The new key cannot be written, another one was begun with, or the database does
            not answer.
    """
    if ledger.home.key_text is not None:
        raise RequestError(
            "TUNI_KEY: a key in a variable cannot be replaced",
            "put it into a file, name that with TUNI_KEY_FILE, and unset TUNI_KEY",
        )
    with ledger.exclusive("rotation"):
        coming = next_file(ledger.home)
        ledger.load_keys()  # ends a rotation that only lacks its last step
        with secret_file.alone(ledger.home, ledger.home.key_file):
            if not coming.exists():
                _require_not_begun(ledger)
                write_key(coming)
        ledger.load_keys()
        key = read_key(coming)
        _note(ledger, key)
        fresh = Wrapper(key)
        old = ledger.generation
        while not _finish(ledger, fresh, old):
            while done := _rewrap_some(ledger, fresh, old):
                step(done)
        adopt_next(ledger.home, key)
        ledger.load_keys()
        return old + 1


def owe(connection: Connection, ledger: Ledger) -> None:
    """Note, within a transaction that erases people, that old backups still hold their keys."""
    note = insert_ignore(ledger.engine, SETTINGS)
    connection.execute(note, {"name": OWED, "value": "people were erased"})


def is_owed(ledger: Ledger) -> bool:
    """Whether people were erased and the home's key was not replaced since."""
    return _setting(ledger, OWED) is not None


def _setting(ledger: Ledger, name: str) -> str | None:
    query = select(SETTINGS.c.value).where(SETTINGS.c.name == name)
    with ledger.reading("look at the rotation") as connection:
        return connection.scalar(query)


def _require_not_begun(ledger: Ledger) -> None:
    if _setting(ledger, COMING) is not None:
        raise _begun_elsewhere(ledger)


def _note(ledger: Ledger, key: bytes) -> None:
    """Note which key comes, before anything is wrapped with it; refuse another one."""
    digest = hashlib.sha256(b"tuni key to come" + key).hexdigest()
    note = insert_ignore(ledger.engine, SETTINGS)
    with database_errors("note the key"), ledger.engine.begin() as connection:
        connection.execute(note, {"name": COMING, "value": digest})
    if _setting(ledger, COMING) != digest:
        raise _begun_elsewhere(ledger)


def _begun_elsewhere(ledger: Ledger) -> HomeError:
    coming = next_file(ledger.home)
    return HomeError(
        f"key {coming}: a rotation was begun with another new key than the one here",
        f"repeat `tuni keys rotate` on the machine where it was begun, or copy its {coming.name} "
        "here; nothing was changed",
    )


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
    done = delete(SETTINGS).where(SETTINGS.c.name.in_((COMING, OWED)))
    with database_errors("wrap the root secret anew"), durable(ledger.engine) as connection:
        # The update comes first: it holds the row against writers (`Ledger.require_generation`)
        # and is taken back where one of them was faster.
        known = ledger.root_secret
        value = f"{old + 1}:{fresh.wrap(known, SEALED_ROOT).hex()}"
        connection.execute(update(SETTINGS).where(mine).values(value=value))
        if connection.execute(left).scalar_one():
            connection.rollback()
            return False
        connection.execute(done)
        Trail(ledger).append_in(connection, "key rotated", generation=old + 1)
    return True

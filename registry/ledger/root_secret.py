"""The ledger's root secret as its settings hold it, and whether the rows are sealed yet.

Who writes the database can make a ledger look like one from before there were seals, with whatever
rows he likes. So rows are sealed once: the home notes outside of the database that it has opened a
sealed ledger, and the audit trail tells of the sealing.
"""

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import select, update

from registry.home import Home
from registry.keys.home_key import Wrapper, WrongKey
from registry.ledger import schema
from registry.ledger.database import database_errors, durable, take_turn
from registry.ledger.row_seals import RowSeals
from registry.ledger.trail import Chained, Trail
from tuni.errors import HomeError

ROOT = "root"
# What the wrapped root secret is bound to once every row has a seal.
SEALED_ROOT = "root of sealed rows"
_SEALED = "rows sealed"  # the trail's entry


class Unlocked(Chained, Protocol):
    """An open ledger, its root secret unwrapped."""

    home: Home
    root_secret: bytes
    seals: RowSeals
    generation: int
    wrappers: Mapping[int, Wrapper]


def unwrap_root(wrapper: Wrapper, wrapped: bytes) -> tuple[bytes, bool]:
    """The root secret, and whether the ledger's rows are sealed.

    Raises:
        WrongKey: Wrapped with another key, or altered.
    """
    try:
        return wrapper.unwrap(wrapped, SEALED_ROOT), True
    except WrongKey:
        return wrapper.unwrap(wrapped, ROOT), False


def note_sealed(home: Home) -> None:
    """Note in the home that it has opened a sealed ledger.

    Raises:
        HomeError: Nothing can be written there.
    """
    try:
        if not home.sealed_note.exists():
            home.sealed_note.touch(mode=0o600)
    except OSError as error:
        raise HomeError(
            f"home: {home.sealed_note} cannot be written ({error.strerror})",
            "make sure that you own the home and that the disk has room",
        ) from error


def seal_rows(ledger: Unlocked, *, allowed: bool) -> None:
    """Seal what was written before there were seals, once, as it is; the trail says so.

    Args:
        ledger: Its root secret is not bound to sealed rows.
        allowed: Whether this is an upgrade; on Postgres no other command seals.

    Raises:
        HomeError: Not allowed, or the ledger was sealed before.
        TrailBroken: The trail cannot tell.
    """
    name = f"ledger {ledger.engine.url.database}"
    if not allowed:
        raise HomeError(
            f"{name}: its rows are not sealed",
            "if its upgrade was interrupted, repeat `tuni ledger upgrade`; if it was not, somebody "
            "put an older state back: restore the ledger from a backup",
        )
    table, wrapper = schema.settings, ledger.wrappers[ledger.generation]
    mine = table.c.name == ROOT
    # The home's note must not outlive the seals where power is lost.
    with database_errors("seal the rows"), durable(ledger.engine) as connection:
        take_turn(connection, erasing=True)
        value = str(connection.scalar(select(table.c.value).where(mine).with_for_update()))
        if unwrap_root(wrapper, bytes.fromhex(value.partition(":")[2]))[1]:
            return  # another process has just done so
        _require_never_sealed(ledger, name)
        count = ledger.seals.seal_all(connection)
        fresh = f"{ledger.generation}:{wrapper.wrap(ledger.root_secret, SEALED_ROOT).hex()}"
        connection.execute(update(table).where(mine).values(value=fresh))
        Trail(ledger).append_in(connection, _SEALED, rows=count)


def _require_never_sealed(ledger: Unlocked, name: str) -> None:
    trail, note = Trail(ledger), ledger.home.sealed_note
    trail.verify()
    fix = "find out who can write to its database, and restore it from a backup"
    if any(entry.action == _SEALED for entry in trail.entries()):
        raise HomeError(
            f"{name}: looks as if its rows were never sealed, but its trail tells of it", fix
        )
    if note.exists():
        raise HomeError(
            f"{name}: its rows are not sealed, but this home has opened a sealed ledger before: an "
            "older state was put back",
            f"{fix}; only if you know that this one is an old ledger that this version never "
            f"opened, or put its old backup back yourself: remove {note}",
        )

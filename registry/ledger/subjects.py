"""Subjects: everybody whose text or features the ledger holds, each under a data key of its own.

The one law: what is kept about a subject is encrypted with that subject's data key and bound to
its place, so erasing the key erases it all, in every backup whose home key is gone too.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row, select, update

from registry.keys.home_key import KEY_BYTES, Wrapper, WrongKey, seal, unseal
from registry.ledger import schema
from registry.ledger.database import CHUNK
from registry.ledger.ledger import Ledger
from tuni.errors import HomeError, ValueAltered


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject's row, its data key unwrapped.

    Attributes:
        id: Number in the ledger; means nothing outside it.
        pseudonym: Keyed pseudonym of the text.
        cipher: Encrypts what is kept about this subject.
    """

    id: int
    pseudonym: str
    cipher: AESGCM

    def seal(self, content: bytes, place: str) -> bytes:
        """Encrypt something about this subject, bound to a place."""
        return seal(self.cipher, content, f"{place} {self.pseudonym}")

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """What `seal` was given.

        Raises:
            ValueAltered: Altered, or moved from another place or subject.
        """
        try:
            return unseal(self.cipher, sealed, f"{place} {self.pseudonym}")
        except WrongKey as error:
            raise altered() from error

    def unseal_text(self, sealed: bytes) -> str:
        """The subject's text.

        Raises:
            ValueAltered: Altered, or another subject's.
        """
        return self.unseal(sealed, "text").decode("utf-8", "surrogatepass")

    def seal_text(self, text: str) -> bytes:
        """The text, encrypted."""
        return self.seal(text.encode("utf-8", "surrogatepass"), "text")


def altered() -> ValueAltered:
    """What is raised for a value that its key does not open."""
    return ValueAltered(
        "ledger: an encrypted value was altered, or written with another key",
        "restore the ledger together with its key from a backup",
    )


_TRIES = 20
R = TypeVar("R")


def write_about(
    ledger: Ledger,
    texts: Iterable[str],
    doing: str,
    write: Callable[[Connection, Mapping[str, Subject]], R],
    *,
    listed: Collection[str] = (),
) -> R:
    """Write something about the subjects of texts, who are made where they are new.

    Args:
        ledger: Where they are kept.
        texts: Any number; equal canonical texts are one subject.
        doing: What is tried, for the message, e.g. ``"write features"``.
        write: Gets the transaction and the subjects by pseudonym. Nobody is erased until it ends.
        listed: Texts whose subjects were there already: those that were erased since are not made
            again, and are not among the subjects that ``write`` gets.

    Returns:
        What ``write`` returns.

    Raises:
        HomeError: A wrapped key was altered, or the database does not answer.
    """
    marks = sorted({ledger.keys.pseudonym(text) for text in texts})
    not_made = {ledger.keys.pseudonym(text) for text in listed}
    made = [mark for mark in marks if mark not in not_made]
    for _ in range(_TRIES):
        with ledger.writing(doing) as connection:
            if ledger.require_generation(connection):
                people = find_subjects(ledger, connection, marks)
                new = [mark for mark in made if mark not in people]
                for start in range(0, len(new), CHUNK):
                    _make(ledger, connection, new[start : start + CHUNK])
                return write(connection, people | find_subjects(ledger, connection, new))
        ledger.load_keys()  # the home's key was rotated since it was loaded
    raise HomeError(
        "ledger: the home's key is rotated again and again",
        "let the rotations end, then repeat the command",
    )


def find_subjects(
    ledger: Ledger, connection: Connection, pseudonyms: Collection[str]
) -> dict[str, Subject]:
    """Those of some subjects that the ledger knows and holds a data key of, by pseudonym."""
    table = schema.subjects
    marks = sorted(pseudonyms)
    found: dict[str, Subject] = {}
    for start in range(0, len(marks), CHUNK):
        query = select(table).where(table.c.pseudonym.in_(marks[start : start + CHUNK]))
        for row in ledger.seals.read(connection, query, table):
            if row.wrapped is not None:
                found[row.pseudonym] = unwrap(ledger, row)
    return found


def unwrap(ledger: Ledger, row: Row[Any]) -> Subject:  # Any: columns of several types
    """A subject from its row, whose seal was checked.

    Raises:
        ValueAltered: The wrapped key was altered, or wrapped with a key that is not the home's.
    """
    generation = row.generation
    if generation not in ledger.wrappers:
        ledger.load_keys()  # rotated meanwhile
    if generation == ledger.generation + 1 and generation not in ledger.wrappers:
        raise HomeError(
            "ledger: its key is being replaced on another machine",
            "wait until `tuni keys rotate` has ended there, then copy the new key file here",
        )
    if generation not in ledger.wrappers:
        raise altered()
    try:
        key = ledger.wrappers[generation].unwrap(row.wrapped, row.pseudonym)
        return Subject(row.id, row.pseudonym, AESGCM(key))
    except WrongKey as error:
        raise altered() from error


def rewrap(ledger: Ledger, mark: str, wrapped: bytes, generation: int, fresh: Wrapper) -> bytes:
    """A subject's data key, wrapped with another home key.

    Raises:
        ValueAltered: The wrapped key was altered.
    """
    try:
        return fresh.wrap(ledger.wrappers[generation].unwrap(wrapped, mark), mark)
    except WrongKey as error:
        raise altered() from error


def _make(ledger: Ledger, connection: Connection, marks: Sequence[str]) -> None:
    """Make the subjects of some pseudonyms where they are new, and give each a data key."""
    table = schema.subjects
    wrapper, generation = ledger.wrappers[ledger.generation], ledger.generation
    fresh = {mark: wrapper.wrap(os.urandom(KEY_BYTES), mark) for mark in marks}
    rows = [
        {"pseudonym": mark, "wrapped": wrapped, "generation": generation}
        for mark, wrapped in fresh.items()
    ]
    ledger.seals.add(connection, table, rows)
    # Known by pseudonym alone until now, for having taken part in a choice.
    bare = table.c.pseudonym.in_(marks) & table.c.wrapped.is_(None)
    for mark in connection.scalars(select(table.c.pseudonym).where(bare)).all():
        connection.execute(
            update(table)
            .where(table.c.pseudonym == mark, table.c.wrapped.is_(None))
            .values(wrapped=fresh[mark], generation=generation)
        )

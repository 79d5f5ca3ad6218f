"""Subjects: everybody whose text or features the ledger holds, each under a data key of its own.

The one law: what is kept about a subject is encrypted with that subject's data key and bound to
its place, so erasing the key erases it all, in every backup whose home key is gone too.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select, update

from registry import schema
from registry.database import CHUNK, database_errors, insert_ignore
from registry.keys import KEY_BYTES, Wrapper, WrongKey, seal, unseal
from registry.ledger import Ledger
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


class _Rotated(Exception):  # never leaves this module
    """The home's key was rotated since it was loaded."""


def add_subjects(ledger: Ledger, texts: Iterable[str]) -> dict[str, Subject]:
    """The subjects of texts, made where they are new.

    Args:
        ledger: Where they are kept.
        texts: Any number; equal canonical texts are one subject.

    Returns:
        By pseudonym.

    Raises:
        HomeError: A wrapped key was altered, or the database does not answer.
    """
    marks = sorted({ledger.keys.pseudonym(text) for text in texts})
    found: dict[str, Subject] = {}
    for start in range(0, len(marks), CHUNK):
        some = marks[start : start + CHUNK]
        for _ in range(_TRIES):
            try:
                found |= _add(ledger, some)
                break
            except _Rotated:
                ledger.load_keys()
        else:
            raise HomeError(
                "ledger: the home's key is rotated again and again",
                "let the rotations end, then repeat the command",
            )
    return found


def find_subjects(
    ledger: Ledger, connection: Connection, pseudonyms: Collection[str]
) -> dict[str, Subject]:
    """Those of some subjects that the ledger knows and holds a data key of, by pseudonym."""
    table = schema.subjects
    marks = sorted(pseudonyms)
    query = select(table.c.id, table.c.pseudonym, table.c.wrapped, table.c.generation)
    found: dict[str, Subject] = {}
    for start in range(0, len(marks), CHUNK):
        some = table.c.pseudonym.in_(marks[start : start + CHUNK])
        for number, mark, wrapped, generation in connection.execute(query.where(some)):
            if wrapped is not None:
                found[mark] = unwrap(ledger, number, mark, wrapped, generation)
    return found


def unwrap(ledger: Ledger, number: int, mark: str, wrapped: bytes, generation: int) -> Subject:
    """A subject from its row.

    Raises:
        ValueAltered: The wrapped key was altered, or wrapped with a key that is not the home's.
    """
    if generation not in ledger.wrappers:
        ledger.load_keys()  # rotated meanwhile
    if generation not in ledger.wrappers:
        raise altered()
    try:
        return Subject(number, mark, AESGCM(ledger.wrappers[generation].unwrap(wrapped, mark)))
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


def _add(ledger: Ledger, marks: list[str]) -> Mapping[str, Subject]:
    table = schema.subjects
    wrapper, generation = ledger.wrappers[ledger.generation], ledger.generation
    fresh = {mark: wrapper.wrap(os.urandom(KEY_BYTES), mark) for mark in marks}
    rows = [
        {"pseudonym": mark, "wrapped": wrapped, "generation": generation}
        for mark, wrapped in fresh.items()
    ]
    bare = table.c.pseudonym.in_(marks) & table.c.wrapped.is_(None)
    with database_errors("add subjects"), ledger.engine.begin() as connection:
        # The insert comes first: a transaction that begins with reading may not write later
        # while another one writes (SQLITE_BUSY, without any wait).
        connection.execute(insert_ignore(ledger.engine, table), rows)
        if not ledger.require_generation(connection):
            raise _Rotated
        # Known by pseudonym alone until now, for having taken part in a choice.
        for mark in connection.scalars(select(table.c.pseudonym).where(bare)).all():
            connection.execute(
                update(table)
                .where(table.c.pseudonym == mark, table.c.wrapped.is_(None))
                .values(wrapped=fresh[mark], generation=generation)
            )
        return find_subjects(ledger, connection, marks)

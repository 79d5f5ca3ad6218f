"""Features kept between runs, encrypted, under keyed pseudonyms.

The one law: with the checkpoint and a dictionary of names a feature tells whose it is, so it is
personal data: it lies encrypted with its subject's data key, bound to its place, and a value that
fails its check is an error, never a quiet recomputation.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from registry.ledger import schema
from registry.ledger.database import CHUNK, insert_ignore
from registry.ledger.ledger import Ledger
from registry.ledger.subjects import Subject, unwrap, write_about
from tuni.errors import HomeError, UnusableScores
from tuni.hashing import canonical_json

Columns = dict[str, NDArray[np.float32]]
Layout = list[tuple[str, int]]


class EncryptedFeatureCache:
    """The ledger's features, as a `tuni.features.extract.FeatureCache`."""

    def __init__(self, ledger: Ledger, listed: Collection[str] = ()) -> None:
        """Read and write through an open ledger.

        Args:
            ledger: Where they are kept.
            listed: Texts of subjects that the ledger holds: nothing is kept of those that are
                erased meanwhile.
        """
        self._ledger = ledger
        self._listed = listed

    def get(self, family_key: str, texts: Sequence[str]) -> dict[str, Columns]:
        """Features of the texts that are known.

        Args:
            family_key: Names checkpoint, spec and family.
            texts: Spelled as they were when they were put.

        Returns:
            Text to column to values, float32, shape ``(d,)`` each; unknown texts are absent.

        Raises:
            HomeError: A stored value was altered, or the database does not answer.
        """
        found: dict[str, Columns] = {}
        people, payload = schema.subjects, schema.features.c.payload
        for text, row, columns in self._rows(family_key, texts, people, payload):
            subject = unwrap(self._ledger, row)
            where = _where(family_key, row.variant)
            found[text] = _unpack(subject.unseal(row.payload, where), columns)
        return found

    def known(self, family_key: str, texts: Sequence[str]) -> set[str]:
        """The texts that `get` would give features of, without reading those."""
        people = schema.subjects.c
        wanted = (people.id, people.pseudonym, people.seal)
        return {text for text, _, _ in self._rows(family_key, texts, *wanted)}

    def _rows(
        self, family_key: str, texts: Sequence[str], *wanted: Any
    ) -> Iterator[tuple[str, Any, Layout]]:  # Any: SQLAlchemy's columns and rows
        """Each known text with a row of what is wanted about it, and the columns' layout."""
        keys = self._ledger.keys
        place = {(keys.pseudonym(text), keys.variant(text)): text for text in set(texts)}
        pseudonyms = sorted({pseudonym for pseudonym, _ in place})
        people, table = schema.subjects, schema.features
        with self._ledger.reading("read features") as connection:
            known = self._layout(connection, family_key)
            if known is None:
                return
            layout, columns = known
            query = (
                select(*wanted, table.c.variant)
                .join_from(people, table, table.c.subject == people.c.id)
                .where(table.c.layout == layout)
            )
            for start in range(0, len(pseudonyms), CHUNK):
                some = people.c.pseudonym.in_(pseudonyms[start : start + CHUNK])
                for row in self._ledger.seals.read(connection, query.where(some), people):
                    text = place.get((row.pseudonym, row.variant))
                    if text is not None:
                        yield text, row, columns

    def put(
        self, family_key: str, texts: Sequence[str], columns: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Keep features; texts that are known already keep what they have.

        Args:
            family_key: Names checkpoint, spec and family.
            texts: One per row, length n.
            columns: Column to values, float32, shape ``(n, d)`` each.

        Raises:
            UnusableScores: A column's shape does not fit the texts.
            HomeError: The family was kept with other columns, or the database does not answer.
        """
        for name, values in columns.items():
            if values.ndim != 2 or len(values) != len(texts):
                raise UnusableScores(
                    f"features: column {name} has shape {values.shape}, expected ({len(texts)}, d)",
                    "this is a fault in a feature family: please report it",
                )
        if not texts:
            return
        layout: Layout = [(name, columns[name].shape[1]) for name in sorted(columns)]
        rows = np.concatenate([columns[name] for name, _ in layout], axis=1).astype("<f4")
        engine, keys = self._ledger.engine, self._ledger.keys

        def write(connection: Connection, people: Mapping[str, Subject]) -> None:
            values = {"family_key": family_key, "columns": canonical_json(layout)}
            self._ledger.seals.add(connection, schema.feature_layouts, [values])
            known = self._layout(connection, family_key)
            if known is None or known[1] != layout:
                raise HomeError(
                    "feature cache: these features were kept with other columns by another "
                    "version of tuni",
                    "use one version of tuni with this home, or set TUNI_HOME to another folder",
                )
            statement = insert_ignore(engine, schema.features)
            there = [row for row, text in enumerate(texts) if keys.pseudonym(text) in people]
            for start in range(0, len(there), CHUNK):
                sealed = [
                    self._seal(family_key, known[0], texts[row], rows[row], people)
                    for row in there[start : start + CHUNK]
                ]
                connection.execute(statement, sealed)

        write_about(self._ledger, texts, "write features", write, listed=self._listed)

    def _seal(
        self,
        family_key: str,
        layout: int,
        text: str,
        row: NDArray[np.float32],
        people: Mapping[str, Subject],
    ) -> dict[str, str | int | bytes]:
        keys = self._ledger.keys
        subject, variant = people[keys.pseudonym(text)], keys.variant(text)
        return {
            "layout": layout,
            "subject": subject.id,
            "variant": variant,
            "payload": subject.seal(row.tobytes(), _where(family_key, variant)),
        }

    def _layout(self, connection: Connection, family_key: str) -> tuple[int, Layout] | None:
        table = schema.feature_layouts
        query = select(table).where(table.c.family_key == family_key)
        for row in self._ledger.seals.read(connection, query, table):
            columns = row._mapping[table.c["columns"]]
            return row.id, [(name, width) for name, width in json.loads(columns)]
        return None


def _unpack(payload: bytes, layout: Layout) -> Columns:
    values = np.frombuffer(payload, dtype="<f4").astype(np.float32)
    columns: Columns = {}
    start = 0
    for name, width in layout:
        columns[name] = values[start : start + width]
        start += width
    if start != len(values):
        raise HomeError(
            "feature cache: a stored value has another length than its layout says",
            "restore the ledger from a backup",
        )
    return columns


def _where(family_key: str, variant: str) -> str:
    return f"features 2 {family_key} {variant}"

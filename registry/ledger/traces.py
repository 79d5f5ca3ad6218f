"""Where texts still stand: in files, databases and archives, however they are encoded.

The one law: what is found is told by place and form, never by the text or what surrounds it, and
what cannot be read is told as well. A text counts as found inside a longer one, so a short common
word is found nearly everywhere. The search undoes what storage does to text; it does not decrypt,
and a server's files (dead rows of Postgres, its log) are beyond it unless they lie in the folder.
"""

import binascii
import gzip
import html
import io
import os
import re
import sqlite3
import stat
import unicodedata
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_plus

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    cast,
    column,
    inspect,
    select,
    table,
)

from registry.ledger.database import database_errors

UNREADABLE = "unreadable"
HIDDEN = "(hidden)"
WINDOW = 1 << 20  # bytes looked at in one piece
WHOLE = 1 << 28  # bytes of an archive inside another one, which is unpacked in memory
ROWS = 500
DEPTH = 4
HEAD = 10  # bytes that tell a container
ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
SURROGATES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/_-]{60,80}\r?\n)+[A-Za-z0-9+/_-]*={0,2}|[A-Za-z0-9+/_-]{24,}={0,2}"
)
NO_TEXT = (Boolean, Date, DateTime, Integer, Numeric)


@dataclass(frozen=True, slots=True)
class Trace:
    """One place where a text stands, or that could not be read.

    Attributes:
        place: File below the folder, with table and column in a database; a part of the place that
            itself holds the text is hidden.
        form: How it stands there, e.g. ``"UTF-16 in gzip"``; begins with ``"unreadable"`` where
            the place could not be searched.
    """

    place: str
    form: str


def find_traces(
    root: Path, needles: Collection[str], *, engine: Engine | None = None
) -> tuple[Trace, ...]:
    """Search a folder, and a database, for texts in every form that storage gives them.

    Big files are read in windows that overlap, so that memory stays bounded. Names are searched
    too; of sockets and pipes only those, since they hold nothing.

    Args:
        root: Folder; every file below it is searched, links to folders are not followed.
        needles: Texts to look for, each a part of what may stand there.
        engine: Database of which every column that may hold text is searched as well.

    Returns:
        What was found, by place, each pair of place and form once; empty where nothing was.

    Raises:
        HomeError: The database is out of reach.
        ValueError: A needle is empty.
    """
    if not all(needle.strip() for needle in needles):
        raise ValueError("needles: an empty text stands everywhere")
    search = _Search(needles)
    found = set(search.folder(root))
    if engine is not None:
        with database_errors("search the tables"):
            found |= set(search.database(engine))
    return tuple(sorted(found, key=lambda trace: (trace.place, trace.form)))


def _plain(text: str) -> str:
    """One spelling of a text: accents composed, case folded."""
    composed = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return composed.casefold()


def _unescaped(text: str) -> Iterator[tuple[str, str]]:
    """A text as it stands, and with the escapes of JSON, URLs and HTML undone."""
    yield "text", text
    if "\\u" in text:
        once = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        yield (
            "JSON escapes",
            SURROGATES.sub(
                lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), once
            ),
        )
    if "%" in text:
        yield "URL escapes", unquote_plus(text)
    if "&" in text:
        yield "HTML escapes", html.unescape(text)


def _packed(head: bytes) -> str | None:
    """What kind of container begins like this."""
    # An encrypted value may begin like anything by chance, so as many bytes count as are fixed. Of
    # gzip's ten these are the first three, and what RFC 1952 allows as flags, effort and system.
    if (
        head[:3] == b"\x1f\x8b\x08"
        and len(head) >= HEAD
        and not head[3] & 0xE0
        and head[8] in (0, 2, 4)
        and (head[9] < 14 or head[9] == 255)
    ):
        return "gzip"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[:4] == b"PAR1":
        return "Parquet"
    if head[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return "zlib"
    return None


def _whole(stream: BinaryIO) -> BinaryIO:
    """A stream that can be read from its end; one inside another is held in memory."""
    if isinstance(stream, io.BytesIO | io.BufferedReader):
        return stream
    content = stream.read(WHOLE + 1)
    if len(content) > WHOLE:
        raise OSError("an archive inside another one is too large to unpack in memory")
    return io.BytesIO(content)


def _leaves(value: object) -> Iterator[bytes]:
    """Texts and bytes in a value of a table, however deep."""
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, str):
        yield value.encode("utf-8", errors="surrogatepass")
    elif isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)


class _Search:
    """Some texts, prepared for looking for them."""

    def __init__(self, needles: Collection[str]) -> None:
        self.flat = tuple({_plain(needle) for needle in needles})
        raw: set[tuple[str, bytes]] = set()
        for needle in needles:
            composed = unicodedata.normalize("NFC", needle)
            spellings = {needle, composed, unicodedata.normalize("NFD", needle)}
            spellings |= {composed.lower(), composed.upper(), composed.title()}
            for spelling in spellings:
                for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
                    raw.add((codec[:6].upper(), spelling.encode(codec)))
                # A letter that latin-1 lacks becomes a question mark, as careless writers do;
                # where next to nothing else is left, that stands everywhere.
                narrow = spelling.encode("latin-1", errors="replace")
                if not spelling.isascii() and len(narrow.replace(b"?", b"")) >= 4:
                    raw.add(("latin-1", narrow))
        self.raw = tuple(raw)
        # Escapes of escapes take most room: some twelve bytes a letter, and base64 a third more.
        self.overlap = 4096 + 32 * max((len(needle) for needle in needles), default=0)

    def folder(self, root: Path) -> Iterator[Trace]:
        """Traces in names and contents below a folder."""
        lost: list[OSError] = []
        for base, folders, files in os.walk(root, onerror=lost.append):
            for name in (*folders, *files):
                path = Path(base, name)
                place = self.place(*path.relative_to(root).parts)
                if self.in_text(name):
                    yield Trace(place, "name")
                try:
                    kind = path.lstat().st_mode
                    if stat.S_ISLNK(kind) and self.in_text(str(path.readlink())):
                        yield Trace(place, "target of a link")
                    if stat.S_ISREG(path.stat().st_mode):
                        yield from self.file(path, place)
                except FileNotFoundError:  # gone meanwhile, or a link to nothing
                    continue
                except OSError:
                    yield Trace(place, UNREADABLE)
        for error in lost:
            if not isinstance(error, FileNotFoundError) or Path(error.filename) == root:
                parts = Path(error.filename).relative_to(root).parts
                yield Trace(self.place(*parts) or ".", UNREADABLE)

    def place(self, *parts: str) -> str:
        """Path of a place, without a part that holds a text itself."""
        return "/".join(HIDDEN if self.in_text(part) else part for part in parts)

    def in_text(self, text: str) -> bool:
        """Whether a short text holds one of the needles."""
        return next(self.forms(io.BytesIO(os.fsencode(text))), None) is not None

    def file(self, path: Path, place: str) -> Iterator[Trace]:
        """Traces in a file's bytes and, of a database, in its values."""
        with path.open("rb") as stream:
            database = stream.read(15) == b"SQLite format 3"
            for form in self.forms(stream):
                yield Trace(place, form)
        if database:
            yield from self.sqlite(path, place)

    def forms(self, stream: BinaryIO, depth: int = DEPTH) -> Iterator[str]:
        """Forms in which a needle stands in a stream, some more than once."""
        stream.seek(0)
        head = stream.read(HEAD)
        kind = _packed(head) if depth else None
        stream.seek(0)
        window = b""
        while chunk := stream.read(WINDOW):
            cut = bool(window)
            window = window[-self.overlap :] + chunk
            yield from self.window(window, cut, depth)
        if kind is None:
            return
        try:
            stream.seek(0)
            yield from (f"{form} in {kind}" for form in self.inside(stream, kind, depth - 1))
        # Each unpacker has errors of its own; pyarrow's are OSError or ValueError.
        except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
            if kind != "zlib":  # two bytes are too few to call it damaged
                yield f"{UNREADABLE} {kind}"

    def window(self, window: bytes, cut: bool, depth: int) -> Iterator[str]:
        """Forms in which a needle stands in one piece of a stream."""
        yield from (form for form, needle in self.raw if needle in window)
        for form, text in _unescaped(window.decode("utf-8", errors="ignore")):
            flat = _plain(text)
            if any(needle in flat for needle in self.flat):
                yield form
        if not depth:
            return
        decoded = []
        for run in BASE64.finditer(window):
            trimmed = re.sub(rb"[\r\n=]", b"", run[0]).translate(bytes.maketrans(b"-_", b"+/"))
            # A run that began in an earlier window may be cut inside a group of four.
            for start in range(4 if cut and run.start() == 0 else 1):
                part = trimmed[start:]
                with suppress(binascii.Error):
                    decoded.append(b64decode(part + b"=" * (-len(part) % 4)))
        yield from (f"{form} in base64" for form in self.values(decoded, depth - 1))

    def inside(self, stream: BinaryIO, kind: str, depth: int) -> Iterator[str]:
        """Forms in which a needle stands in what a container holds."""
        if kind == "gzip":
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield from self.forms(unpacked, depth)  # type: ignore[arg-type]  # reads, seeks
        elif kind == "zip":
            with zipfile.ZipFile(_whole(stream)) as archive:
                for member in archive.infolist():
                    if self.in_text(member.filename):
                        yield "name"
                    with archive.open(member) as opened:
                        yield from self.forms(opened, depth)  # type: ignore[arg-type]
        elif kind == "zlib":
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(_whole(stream).read(WHOLE), WHOLE)
            yield from self.forms(io.BytesIO(content), depth)
            if unpacker.unconsumed_tail:
                yield UNREADABLE
        else:
            import pyarrow.parquet as pq

            for batch in pq.ParquetFile(_whole(stream)).iter_batches(batch_size=ROWS):
                for values in batch.columns:
                    yield from self.values(_leaves(values.to_pylist()), depth)

    def values(self, values: Iterable[bytes], depth: int = DEPTH) -> Iterator[str]:
        """Forms in which a needle stands in some values, each of which may be a container."""
        together = []
        for value in values:
            if depth and _packed(value):
                yield from self.forms(io.BytesIO(value), depth)
            else:
                together.append(value)
        yield from self.forms(io.BytesIO(b"\0" + b"\0".join(together)), depth)

    def sqlite(self, path: Path, place: str) -> Iterator[Trace]:
        """Traces in the values of a SQLite database; its raw bytes show what was deleted."""
        uri = f"{path.resolve().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True)) as opened:
                opened.text_factory = bytes
                listed = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                for name in [row[0].decode() for row in listed]:
                    quoted = name.replace('"', '""')
                    rows = opened.execute(f'SELECT * FROM "{quoted}"')
                    names = [str(about[0]) for about in rows.description]
                    batches = iter(lambda rows=rows: rows.fetchmany(ROWS), [])  # type: ignore[misc]
                    yield from self.table(place, name, names, batches)
        except sqlite3.Error:
            yield Trace(place, f"{UNREADABLE} table")

    def database(self, engine: Engine) -> Iterator[Trace]:
        """Traces in every column of a database that may hold text or bytes."""
        about = inspect(engine)
        hidden = ("information_schema", "pg_")
        with engine.connect().execution_options(stream_results=True) as connection:
            for schema in about.get_schema_names():
                if schema.startswith(hidden):
                    continue
                for name in about.get_table_names(schema=schema):
                    fields = [
                        column(one["name"])
                        if isinstance(one["type"], LargeBinary)
                        else cast(column(one["name"]), Text).label(one["name"])
                        for one in about.get_columns(name, schema=schema)
                        if not isinstance(one["type"], NO_TEXT)
                    ]
                    if not fields:
                        continue
                    rows = connection.execute(
                        select(*fields).select_from(table(name, schema=schema))
                    )
                    yield from self.table(schema, name, list(rows.keys()), rows.partitions(ROWS))

    def table(
        self, place: str, name: str, names: list[str], batches: Iterable[Iterable[Iterable[object]]]
    ) -> Iterator[Trace]:
        """Traces in the columns of some rows."""
        for batch in batches:
            for title, cells in zip(names, zip(*batch, strict=True), strict=True):
                for form in self.values(_leaves(list(cells))):
                    yield Trace(f"{place}: {self.place(name)}.{self.place(title)}", form)

"""No text of a subject or decoy stands anywhere under the home, however it is encoded.

The search undoes what storage does to text: compression, archives, Parquet, escapes, other
encodings, free pages and write-ahead logs. The control plants a name in each of these ways.
"""

import base64
import binascii
import gzip
import html
import io
import json
import re
import sqlite3
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote_plus

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
SURROGATES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
PLANTED = "Zyxandra Quørbleth"


def plain(text: str) -> str:
    """One spelling of a text: accents composed, case folded."""
    composed = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return composed.casefold()


def unescaped(text: str) -> Iterator[str]:
    """A text as it stands, and with the escapes of JSON, URLs and HTML undone."""
    yield text
    if "\\u" in text:
        once = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        yield SURROGATES.sub(
            lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), once
        )
    if "%" in text:
        yield unquote_plus(text)
    if "&" in text:
        yield html.unescape(text)


def unpacked(content: bytes) -> Iterator[bytes]:
    """What lies in a compressed file, an archive or a table, unpacked once."""
    # An encrypted cell may begin like anything by chance.
    if content[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(content)
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if content[:1] == b"\x78":
        with suppress(zlib.error):
            yield zlib.decompress(content)
    if content[:4] == b"PAR1":
        yield str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
    decoded = []
    for run in BASE64.findall(content):
        trimmed = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        with suppress(binascii.Error):
            decoded.append(base64.b64decode(trimmed + b"=" * (-len(trimmed) % 4)))
    if decoded:
        yield b"\0".join(decoded)


def cells(database: Path) -> Iterator[bytes]:
    """Every text and blob of every table; the raw file shows what was deleted."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as opened:
        opened.text_factory = bytes
        names = [row[0].decode() for row in opened.execute("SELECT name FROM sqlite_master")]
        for name in names:
            try:
                rows = opened.execute(f'SELECT * FROM "{name}"')
            except sqlite3.DatabaseError:  # an index, or a table of an extension
                continue
            yield from (cell for row in rows for cell in row if isinstance(cell, bytes))
    opened.close()


def holds(content: bytes, needles: Sequence[str], depth: int = 3) -> bool:
    """Whether one of the needles stands in some bytes, however they are encoded."""
    for needle in needles:
        spellings = {needle, needle.lower(), needle.upper(), unicodedata.normalize("NFD", needle)}
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "latin-1"):
            # A letter that latin-1 lacks becomes a question mark, as careless writers do.
            for spelling in spellings:
                if spelling.encode(encoding, errors="replace") in content:
                    return True
    for form in unescaped(content.decode("utf-8", errors="ignore")):
        flat = plain(form)
        if any(plain(needle) in flat for needle in needles):
            return True
    return depth > 0 and any(holds(inner, needles, depth - 1) for inner in unpacked(content))


def files_with(folder: Path, needles: Sequence[str]) -> list[str]:
    """Files below a folder that hold, or are called by, one of the needles."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        hit = holds(name.encode(), needles)
        if path.is_file() and not hit:
            content = path.read_bytes()
            hit = holds(content, needles)
            if not hit and content[:15] == b"SQLite format 3":
                hit = holds(b"\0".join(cells(path)), needles) or any(
                    holds(inner, needles) for cell in cells(path) for inner in unpacked(cell)
                )
        if hit:
            found.append(name)
    return found


def deleted_row(path: Path) -> None:
    with sqlite3.connect(path) as opened:
        opened.execute("PRAGMA secure_delete=OFF")
        opened.execute("CREATE TABLE t (name TEXT)")
        opened.execute("INSERT INTO t VALUES (?)", (PLANTED,))
        opened.commit()
        opened.execute("DELETE FROM t")
        opened.commit()
    opened.close()


def packed_cell(path: Path) -> None:
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE t (name BLOB)")
        opened.execute("INSERT INTO t VALUES (?)", (zlib.compress(PLANTED.encode()),))
    opened.close()


def array(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, names=np.array([PLANTED]))


def wide_gzip_in_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.gz", gzip.compress(PLANTED.encode("utf-16")))


WAYS: dict[str, Callable[[Path], object]] = {
    "plain": lambda path: path.write_text(PLANTED, encoding="utf-8"),
    "upper case": lambda path: path.write_text(PLANTED.upper(), encoding="utf-8"),
    "decomposed": lambda path: path.write_text(
        unicodedata.normalize("NFD", PLANTED), encoding="utf-8"
    ),
    "JSON escapes": lambda path: path.write_text(json.dumps([PLANTED]), encoding="utf-8"),
    "JSON in JSON": lambda path: path.write_text(json.dumps(json.dumps(PLANTED)), encoding="utf-8"),
    "URL": lambda path: path.write_text(quote(PLANTED), encoding="utf-8"),
    "form": lambda path: path.write_text(quote_plus(PLANTED), encoding="utf-8"),
    "HTML": lambda path: path.write_bytes(PLANTED.encode("ascii", "xmlcharrefreplace")),
    "latin-1": lambda path: path.write_text(PLANTED, encoding="latin-1"),
    "UTF-16": lambda path: path.write_text(PLANTED, encoding="utf-16"),
    "UTF-16 big-endian at an odd place": lambda path: path.write_bytes(
        b"x" + PLANTED.encode("utf-16-be")
    ),
    "base64": lambda path: path.write_bytes(base64.b64encode(PLANTED.encode())),
    "gzip": lambda path: path.write_bytes(gzip.compress(PLANTED.encode())),
    "zlib": lambda path: path.write_bytes(zlib.compress(PLANTED.encode())),
    "UTF-16 in gzip in zip": wide_gzip_in_zip,
    "NumPy archive": array,
    "Parquet": lambda path: pq.write_table(pa.table({"name": [PLANTED] * 2}), path),
    "deleted row": deleted_row,
    "compressed cell": packed_cell,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_search_finds_a_name_that_was_planted(tmp_path, way):
    WAYS[way](tmp_path / "file")
    assert files_with(tmp_path, ["Quørbleth"]) == ["file"]
    assert files_with(tmp_path, ["Krŭmpfeldrix"]) == []


def test_the_search_finds_a_name_in_a_write_ahead_log_and_in_a_file_name(tmp_path):
    opened = sqlite3.connect(tmp_path / "log.db")
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute("CREATE TABLE t (name TEXT)")
    opened.execute("INSERT INTO t VALUES (?)", (PLANTED,))
    opened.commit()
    (tmp_path / f"{PLANTED}.txt").touch()
    found = files_with(tmp_path, ["Quørbleth"])
    opened.close()
    assert "log.db-wal" in found
    assert f"{PLANTED}.txt" in found


def test_no_planted_name_stands_under_the_home_or_on_the_terminal(audit, canaries):
    written = {path.name for path in audit.home.rglob("*") if path.is_file()}
    expected = {"ledger.db", "mlflow.db", "optuna.db", "prefect.db", "tuni.log", "report.html"}
    assert expected <= written  # the search has something to search in
    assert files_with(audit.home, canaries) == []
    assert not holds(audit.printed.encode(), canaries)


def test_no_planted_name_is_left_in_temporary_files(audit, canaries):
    assert files_with(audit.home.parent / "home-tmp", canaries) == []


def test_the_lists_themselves_hold_every_planted_name(audit, canaries):
    for needle in canaries:
        assert files_with(audit.lists, [needle])


def test_no_name_of_a_list_stands_in_the_bundle(audit):
    texts = {
        plain(text)
        for name in ("labelled.csv", "list.csv", "watch.csv", "decoys.csv")
        for text in re.findall(r"^([^,\n]+)", (audit.lists / name).read_text("utf-8"), re.M)[1:]
    }
    assert len(texts) > 1000
    for path in (audit.job / "bundle").iterdir():
        for form in unescaped(path.read_bytes().decode("utf-8", errors="ignore")):
            flat = plain(form)
            assert not [text for text in texts if text in flat]

"""The verbs that keep the ledger."""

import io
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.machine.upkeep import read_names
from registry.audits.watchlists import Watchlists
from tuni.errors import TextError

FILE = "text\nZebulon Quartz\nAda Lovelace\n"


@pytest.fixture
def listed(tuni, home: Path, csv_file: Callable[[str, str], Path]) -> Path:
    """A home with two people on a watch list."""
    done = tuni("watchlist", "import", csv_file("people.csv", FILE), "--name", "staff")
    assert done.code == 0, done
    return home


def test_init_makes_a_home_and_repeats_nothing(tuni, home: Path) -> None:
    first = tuni("init", "--json")
    assert first.code == 0, first
    private, public = home / "signing.key", home / "signing.pub"
    assert {one.stat().st_mode & 0o777 for one in (home / "key", private)} == {0o600}
    signs = load_pem_private_key(private.read_bytes(), None).public_key()
    assert load_pem_public_key(public.read_bytes()) == signs
    kept = [one.read_bytes() for one in (home / "key", private, public)]
    assert tuni("init", "--json").result() == first.result()
    assert [one.read_bytes() for one in (home / "key", private, public)] == kept
    assert "keep the two apart" in tuni("init").out


def test_a_lost_key_is_told_and_nothing_is_overwritten(tuni, listed: Path, refused) -> None:
    kept = (listed / "key").read_bytes()
    (listed / "key").unlink()
    for command in (("init",), ("watchlist", "list"), ("keys", "rotate"), ("ledger", "verify")):
        refused(tuni(*command), "missing", code=1)
    assert not (listed / "key").exists()
    (listed / "key").write_bytes(bytes(32))
    (listed / "key").chmod(0o600)
    refused(tuni("watchlist", "list"), "not the key that this ledger was written with", code=1)
    (listed / "key").write_bytes(kept)
    assert tuni("watchlist", "list").code == 0


def test_a_rotated_key_opens_the_ledger(tuni, listed: Path) -> None:
    old = (listed / "key").read_bytes()
    assert tuni("keys", "rotate", "--json").result() == {"generation": 2}
    assert (listed / "key").read_bytes() != old
    assert tuni("watchlist", "list", "--json").result()["watchlists"][0]["subjects"] == 2


def test_a_sound_trail_is_told_and_a_changed_one_ends_with_1(tuni, listed: Path, refused) -> None:
    sound = tuni("ledger", "verify", "--json")
    assert (sound.code, sound.result()["entries"]) == (0, 1)
    assert "watch list imported" in tuni("ledger", "trail").out
    with sqlite3.connect(listed / "ledger.db") as connection:
        connection.execute("UPDATE trail SET details = replace(details, '2', '3')")
    connection.close()
    refused(tuni("ledger", "verify"), "entry 1 was changed", code=1)


def test_an_upgrade_says_which_schema_there_is(tuni, listed: Path) -> None:
    assert tuni("ledger", "upgrade", "--json").result() == {"schema": "0003"}


def test_pruning_says_what_would_go(tuni, listed: Path, refused) -> None:
    done = tuni("ledger", "prune", "--older-than", "90d", "--dry-run", "--json")
    assert done.result() == {"audits": 0, "subjects": 0, "dry_run": True}
    for age in ("soon", "0d", "99999y"):
        refused(tuni("ledger", "prune", "--older-than", age), "--older-than")


def test_whoever_is_forgotten_is_found_nowhere(
    tuni, listed: Path, csv_file: Callable[[str, str], Path]
) -> None:
    file = csv_file("erase.csv", "text\nZEBULON  quartz\nNobody Known\n")
    key = (listed / "key").read_bytes()
    done = tuni("forget", "--subjects", file, "--json")
    assert done.code == 0, done
    told = done.result()
    assert (told["asked"], told["known"], told["key_rotated"]) == (2, 1, True)
    assert told["traces"] == []
    assert (listed / "key").read_bytes() != key
    with open_ledger(Settings(home=listed)) as ledger:
        assert [one.text for one in Watchlists(ledger).members("staff")] == ["Ada Lovelace"]


def test_an_old_backup_does_not_open_after_an_erasure(
    tuni, listed: Path, csv_file: Callable[[str, str], Path], tmp_path: Path, refused
) -> None:
    tuni("ledger", "verify")
    for backup in listed.glob("ledger.db*"):
        shutil.copy2(backup, tmp_path / backup.name)
    assert tuni("forget", "--subjects", csv_file("erase.csv", "text\nZebulon Quartz\n")).code == 0
    for backup in tmp_path.glob("ledger.db*"):
        shutil.copy2(backup, listed / backup.name)
    refused(
        tuni("watchlist", "export", "staff", "--out", tmp_path / "x.csv"), "not the key", code=1
    )


def test_what_is_left_of_a_person_is_told_by_place(
    tuni, listed: Path, csv_file: Callable[[str, str], Path]
) -> None:
    (listed / "note.txt").write_text("call zebulon quartz", encoding="utf-8")
    file = csv_file("erase.csv", "text\nZebulon Quartz\n")
    done = tuni("forget", "--subjects", file, "--keep-key")
    assert done.code == 1, done
    assert "note.txt" in done.out
    assert "NOT replaced" in done.out
    assert "ebulon" not in done.out


def test_names_come_from_standard_input(tuni, listed: Path, monkeypatch) -> None:
    typed = io.TextIOWrapper(io.BytesIO(b"Zebulon Quartz\n\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", typed)
    assert tuni("forget", "--subjects", "-", "--json").result()["known"] == 1


def test_names_that_cannot_be_read_are_refused(tuni, listed: Path, refused) -> None:
    refused(tuni("forget"), "--subjects")
    with pytest.raises(TextError, match="names nobody"):
        read_names(b"\n")
    with pytest.raises(TextError, match="UTF-8"):
        read_names(b"\xff\xfe")


@pytest.mark.parametrize("umask", [0o000, 0o027])
def test_nothing_in_the_home_is_for_others_whatever_the_umask(tuni, home, csv_file, umask):
    os.umask(umask)
    people = csv_file("people.csv", "text\nAda Lovelace\nAlan Turing\n")
    assert tuni("init").code == 0
    assert tuni("watchlist", "import", people, "--name", "staff").code == 0
    assert tuni("watchlist", "export", "staff", "--out", people.with_name("out.csv")).code == 0
    assert tuni("models", "list").code == 0
    assert tuni("doctor", "--json").code in (0, 1)
    open_to_others = [
        path.relative_to(home)
        for path in (home, *home.rglob("*"))
        if path.lstat().st_mode & 0o077 and path.name != "signing.pub"
    ]
    assert not open_to_others
    assert (home / "mlflow.db").exists()
    assert os.umask(umask) == umask  # the process that called is left as it was

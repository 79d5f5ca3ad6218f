"""Cells of a ledger changed in the database itself: refused when they are read, or no figure moves.

`benchmarks/tampering.py` does the same with more cells.
"""

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit, resume
from flows.auditing.compare import compare_audits
from flows.auditing.export import export_audit
from flows.auditing.outcome import AuditOutcome
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.audits import Audits
from registry.audits.rows import AuditRows
from registry.audits.watchlists import Member, Watchlists
from registry.ledger import schema
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tests.flows.audits import interrupted
from tests.flows.conftest import NAME, register_tiny
from tests.objects import save_tiny, tiny_settings
from tuni.errors import RowAltered, TuniError, ValueAltered
from tuni.texts.reference_parts import reference_parts

PARTS = reference_parts("latin/en_US", 1000)
PEOPLE = [f"{PARTS.firsts[n % 40]} {PARTS.lasts[n % 37]}" for n in range(60)]
# These take a second: where another reading refuses already, they are asked in some cases alone.
SLOW = ("compare", "resume")
SLOW_SHARE = 0.1
# Most rows of these are of neighbours and decoys.
LISTED_ALONE = {
    "subjects": "WHERE id IN (SELECT subject FROM audit_subjects)",
    "features": "WHERE subject IN (SELECT subject FROM audit_subjects)",
}
KINDS = ("value", "value", "value", "swap", "copy", "type")


@dataclass(frozen=True)
class Place:
    """A home with ended audits, and one that was interrupted.

    Attributes:
        settings: Of the home.
        ended: Ids of two ended audits.
        interrupted: Id of one that lacks shards.
        sound: Copy of its ledger.
    """

    settings: Settings
    ended: tuple[str, str]
    interrupted: str
    sound: Path

    @property
    def file(self) -> Path:
        return self.settings.home / "ledger.db"


@dataclass(frozen=True)
class Change:
    """One cell that was changed, or two that were swapped."""

    table: str
    column: str
    kind: str


def make_place(root: Path) -> Place:
    """Audit a list twice, and once more by half; TUNI_HOME is to name ``root / "home"``."""
    settings = Settings(home=root / "home")
    register_tiny(settings, save_tiny(root / "checkpoint", tiny_settings()))
    with open_ledger(settings) as ledger:
        people = [Member(text, {"unit": str(row)}) for row, text in enumerate(PEOPLE)]
        Watchlists(ledger).add("staff", people)
        Watchlists(ledger).add("guests", people[:5])
        ledger.record_selection(NAME, 1, PEOPLE[::3])
        ledger.record_selection(NAME, 2, PEOPLE[1::3])
        ledger.record_reading("job", "labelled-test")
        ledger.record_reading("other", "labelled-test")
        first, second = (audit.fn(NAME, "staff", decoys=n, shard_size=20) for n in (200, 250))
        half = interrupted(settings, ledger, decoys=250, shard_size=10, shards=3).id
    sound = root / "sound.db"
    place = Place(settings, (first, second), half, sound)
    shutil.copy(place.file, sound)
    return place


def put_back(place: Place) -> None:
    """Make the ledger sound again, as a file of its own: the old one may still be open."""
    for suffix in ("", "-wal", "-shm"):
        place.file.with_name(f"ledger.db{suffix}").unlink(missing_ok=True)
    shutil.copy(place.sound, place.file)


def change_cell(file: Path, dice: random.Random) -> Change:
    """Change one random cell of a random table as whoever can write the file would."""
    connection = sqlite3.connect(file)  # foreign keys are not enforced
    try:
        while True:
            table = dice.choice(schema.metadata.sorted_tables)
            column, kind = dice.choice(list(table.columns)).name, dice.choice(KINDS)
            listed = LISTED_ALONE.get(table.name, "") if dice.random() < 0.5 else ""
            rows = connection.execute(
                f'SELECT rowid, "{column}" FROM "{table.name}" {listed} ORDER BY rowid'
            ).fetchall()
            if not rows:
                continue
            (here, old), (there, other) = dice.choice(rows), dice.choice(rows)
            new = other if kind in ("swap", "copy") else _other(old, dice, kind)
            if (type(new), new) == (type(old), old):
                continue
            put = f'UPDATE "{table.name}" SET "{column}" = ? WHERE rowid = ?'
            try:
                if kind == "swap":
                    connection.execute(put, (_other(old, dice, "value"), here))
                    connection.execute(put, (old, there))
                connection.execute(put, (new, here))
            except sqlite3.Error:  # a constraint of the schema
                connection.rollback()
                continue
            connection.commit()
            return Change(table.name, column, kind)
    finally:
        connection.close()


def _other(old: object, dice: random.Random, kind: str) -> object:
    """Another value: of the same type, or of any."""
    if kind == "type":
        return dice.choice([None, "", "12", 7, 0.25, b"", b"\xff\xfe", "\U0001f600"])
    match old:
        case int():
            return dice.choice([old + 1, old - 1, 0, -old, dice.randrange(10**6), 2**40])
        case float():
            return dice.choice([old + 1e-9, old / 2, -old, dice.random(), 0.0, 1.0])
        case str() if old:
            spot = dice.randrange(len(old))
            changed = old[:spot] + dice.choice("0123456789abcdef") + old[spot + 1 :]
            return dice.choice([changed, changed, old + "0", old[:-1], ""])
        case bytes() if old:
            spot = dice.randrange(len(old))
            flipped = old[:spot] + bytes([old[spot] ^ 1 << dice.randrange(8)]) + old[spot + 1 :]
            return dice.choice([flipped, flipped, old[:-1], dice.randbytes(len(old)), None])
    return dice.choice([None, "x", 1, 0.5, b"x" * 40])


def readings(place: Place) -> dict[str, Callable[[Ledger], object]]:
    """All that shows a figure, or that one is computed from."""
    settings, (first, second) = place.settings, place.ended
    out = place.sound.with_name("out.csv")

    def export(_: Ledger) -> str:
        export_audit(first, settings, out=out)
        return out.read_text(encoding="utf-8")

    def go_on(ledger: Ledger) -> object:
        resume.fn(place.interrupted)
        ended = AuditOutcome.of(Audits(ledger).get(place.interrupted))
        if ended.audit.state == "partial":  # it says how many have no verdict; exit code 1
            raise ValueAltered("shards were refused", "mend the ledger")
        return ended.summary, list(AuditRows(ledger, place.interrupted).findings())

    def features(ledger: Ledger) -> object:
        with ledger.engine.connect() as connection:
            layouts = connection.execute(schema.feature_layouts.select()).all()
        cache, found = EncryptedFeatureCache(ledger), {}
        for layout in layouts:
            for text, columns in cache.get(layout.family_key, PEOPLE).items():
                for name, values in columns.items():
                    found[layout.family_key, text, name] = values.tobytes()
        return found

    def trail(ledger: Ledger) -> object:
        Trail(ledger).verify()
        return list(Trail(ledger).entries())

    return {
        "trail": trail,  # the first: some of the others append to it
        "show": lambda ledger: [
            (AuditOutcome.of(one).text(), one.record()) for one in Audits(ledger).list()
        ],
        "export": export,
        "page": lambda ledger: (
            AuditRows(ledger, second).kept_levels(),
            AuditRows(ledger, second).list_digest(),
        ),
        "nulls": lambda ledger: [Audits(ledger).list_null(one) for one in place.ended],
        "lists": lambda ledger: [
            (one, list(Watchlists(ledger).members(one.name))) for one in Watchlists(ledger).list()
        ],
        "choice": lambda ledger: [ledger.selected_on(NAME, one, PEOPLE) for one in (1, 2)],
        "registry": lambda ledger: (ledger.moves(NAME), ledger.readings("labelled-test")),
        "checkpoint": lambda ledger: ledger.find_checkpoint(Audits(ledger).get(first).fingerprint),
        "features": features,
        "compare": lambda _: compare_audits(first, second, settings).record(),
        "resume": go_on,
    }


def read_each(
    place: Place, wanted: Callable[[str, bool], bool] = lambda *_: True
) -> dict[str, object]:
    """What each reading gives; an error stands for itself.

    Args:
        place: Whose ledger.
        wanted: Whether a reading is asked, given its name and whether one refused before.
    """
    found: dict[str, object] = {}
    try:
        with open_ledger(place.settings) as ledger:
            for name, read in readings(place).items():
                refused = any(isinstance(one, TuniError) for one in found.values())
                if wanted(name, refused):
                    try:
                        found[name] = read(ledger)
                    except Exception as error:  # not ours: it would be a traceback to a user
                        found[name] = error.with_traceback(None)  # it holds connections open
    except Exception as error:
        found["open"] = error.with_traceback(None)
    return found


def judge(place: Place, dice: random.Random, sound: Mapping[str, object]) -> tuple[Change, str]:
    """Change a cell and read everything; what came of it in a few words."""
    put_back(place)
    change = change_cell(place.file, dice)
    unhurried = dice.random() < SLOW_SHARE
    found = read_each(place, lambda name, refused: unhurried or not (refused and name in SLOW))
    moved = [
        name
        for name, value in found.items()
        if not isinstance(value, TuniError)
        and (isinstance(value, Exception) or not _same(name, value, sound[name]))
    ]
    if moved:
        return change, f"MOVED {' '.join(moved)}"
    refused = any(isinstance(value, TuniError) for value in found.values())
    return change, "refused" if refused else "no figure moved"


def _same(name: str, found: Any, sound: Any) -> bool:
    if name == "features":  # one that is not found is computed anew
        return all(sound.get(key) == values for key, values in found.items())
    return bool(found == sound)


def tally(place: Place, seeds: range) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How many changes came to what, by table; and those that moved a figure without refusal."""
    sound = read_each(place)
    assert not [one for one in sound.values() if isinstance(one, Exception)]
    counts: Counter[tuple[str, str]] = Counter()
    moved = []
    for seed in seeds:
        change, ending = judge(place, random.Random(seed), sound)
        counts[change.table, ending.split()[0]] += 1
        if ending.startswith("MOVED"):
            moved.append(f"seed {seed}: {change.kind} in {change.table}.{change.column}: {ending}")
    put_back(place)
    return counts, moved


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNI_HOME", str(root / "home"))
        return make_place(root)


@pytest.fixture
def place(made: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("TUNI_HOME", str(made.settings.home))
    yield made
    put_back(made)


@pytest.mark.parametrize("seeds", [range(25), pytest.param(range(25, 125), marks=pytest.mark.slow)])
def test_no_changed_cell_of_any_table_moves_a_figure(place: Place, seeds: range) -> None:
    counts, moved = tally(place, seeds)
    assert moved == []
    assert sum(counts.values()) == len(seeds)
    assert sum(n for (_, ending), n in counts.items() if ending == "refused") > len(seeds) / 2


def test_changed_columns_of_a_feature_layout_are_refused(place: Place) -> None:
    with sqlite3.connect(place.file) as connection:
        swapped = connection.execute("SELECT id, columns FROM feature_layouts").fetchall()
        for number, columns in swapped:
            turned = json.dumps(json.loads(columns)[::-1])
            query = "UPDATE feature_layouts SET columns = ? WHERE id = ?"
            connection.execute(query, (turned, number))
    connection.close()
    with open_ledger(place.settings), pytest.raises(RowAltered, match="feature_layouts"):
        audit.fn(NAME, "staff", decoys=200)

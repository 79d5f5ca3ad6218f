"""Rows that somebody else than tuni wrote are refused, on each database."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from sqlalchemy import Connection, Executable, Table, delete, insert, select, text, update

from registry.audits.audits import Audits, Plan
from registry.audits.rows import AuditRows, KeptVerdict
from registry.audits.watchlists import Member, Watchlists
from registry.ledger import schema
from registry.ledger.database import insert_ignore
from registry.ledger.erasure import forget
from registry.ledger.ledger import Ledger
from registry.ledger.rotation import rotate
from registry.ledger.row_seals import SEALED
from tests.forked import run_all
from tuni.errors import AuditNotFound, RowAltered

PLAN = Plan("m", "f" * 64, 1, "d" * 64, {"list_decoys": True}, 4)
NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra")
AUDITS, VERDICT, LEVEL = schema.audits, schema.verdicts, schema.audit_levels
LISTED, MEMBERS, PEOPLE = schema.audit_subjects, schema.watchlist_subjects, schema.subjects


def audited(ledger: Ledger, watchlist: str = "staff") -> AuditRows:
    """The rows of an ended audit of four people."""
    lists, audits = Watchlists(ledger), Audits(ledger)
    lists.add(watchlist, [Member(name, {"unit": "1"}) for name in NAMES])
    begun = audits.begin(lists.get(watchlist), PLAN)
    rows = AuditRows(ledger, begun.id)
    judged = [
        KeptVerdict(one.id, 1.0, 0.1 * place, 0.5, "")
        for place, one in enumerate(rows.shard(0), start=1)
    ]
    rows.write(judged)
    levels = rows.levels()
    audits.end(begun.id, "done", dict.fromkeys(levels, 0.5), levels, {"found": 0})
    return rows


def read(ledger: Ledger) -> None:
    """All that the ledger can tell of its audits and lists."""
    for audit in Audits(ledger).list():
        rows = AuditRows(ledger, audit.id)
        rows.counts()
        list(rows.findings())
        rows.kept_levels()
        rows.list_digest()
    for one in Watchlists(ledger).list():
        list(Watchlists(ledger).members(one.name))
    ledger.selected_on("m", 1, NAMES)
    ledger.find_checkpoint("f" * 64)
    ledger.moves("m")
    ledger.readings("labelled-test")


def swap_numbers(connection: Connection) -> None:
    one, other = connection.scalars(select(PEOPLE.c.id).order_by(PEOPLE.c.id).limit(2)).all()
    marks = dict(connection.execute(select(PEOPLE.c.id, PEOPLE.c.pseudonym)).tuples().all())
    for number, mark in ((one, "x"), (other, marks[one]), (one, marks[other])):
        change = update(PEOPLE).where(PEOPLE.c.id == number).values(pseudonym=mark)
        connection.execute(change)


def swap_verdicts(connection: Connection) -> None:
    rows = connection.execute(select(VERDICT).order_by(VERDICT.c.subject).limit(2)).all()
    for row, other in (rows, rows[::-1]):
        mine = (VERDICT.c.audit == row.audit) & (VERDICT.c.subject == row.subject)
        taken = {"p_decoy": other.p_decoy, "seal": other.seal}
        connection.execute(update(VERDICT).where(mine).values(**taken))


def move_verdicts(connection: Connection) -> None:
    one, other = connection.scalars(select(AUDITS.c.id).order_by(AUDITS.c.created_at)).all()
    connection.execute(delete(VERDICT).where(VERDICT.c.audit == other))
    connection.execute(update(VERDICT).where(VERDICT.c.audit == one).values(audit=other))


def give_to_somebody_else(connection: Connection) -> None:
    other = connection.scalar(insert(PEOPLE).values(id=1, pseudonym="x").returning(PEOPLE.c.id))
    one = connection.scalar(select(VERDICT.c.subject).limit(1))
    connection.execute(update(VERDICT).where(VERDICT.c.subject == one).values(subject=other))


def rename_the_chosen(connection: Connection) -> None:
    chosen = connection.scalar(select(schema.selections.c.subject).limit(1))
    connection.execute(update(PEOPLE).where(PEOPLE.c.id == chosen).values(pseudonym="x"))


def remove_one(table: Table) -> Callable[[Connection], None]:
    def tamper(connection: Connection) -> None:
        row = connection.execute(select(table)).first()
        assert row is not None
        mine = [column == row._mapping[column] for column in table.primary_key]
        connection.execute(delete(table).where(*mine))

    return tamper


def add_one(connection: Connection) -> None:
    row = connection.execute(select(MEMBERS)).mappings().first()
    other = connection.scalar(insert(PEOPLE).values(id=1, pseudonym="x").returning(PEOPLE.c.id))
    assert row is not None
    connection.execute(insert(MEMBERS).values({**row, "subject": other}))


def unseal(connection: Connection) -> None:
    connection.execute(update(VERDICT).values(p_decoy=0.001, seal=None))


@pytest.mark.parametrize(
    ("tamper", "table"),
    [
        (swap_numbers, "subjects"),
        (swap_verdicts, "verdicts"),
        (move_verdicts, "verdicts"),
        (give_to_somebody_else, "verdicts"),
        (remove_one(VERDICT), "verdicts"),
        (remove_one(LEVEL), "audit_levels"),
        (remove_one(LISTED), "audit_subjects"),
        (remove_one(MEMBERS), "watchlist_subjects"),
        (add_one, "watchlist_subjects"),
        (unseal, "verdicts"),
        (rename_the_chosen, "subjects"),
    ],
)
def test_rows_that_were_swapped_moved_removed_or_added_are_refused(
    any_ledger: Ledger, tamper: Callable[[Connection], None], table: str
) -> None:
    any_ledger.record_selection("m", 1, ["Emmy Noether"])
    for name in ("staff", "guests"):
        audited(any_ledger, name)
    read(any_ledger)
    with any_ledger.engine.begin() as connection:
        tamper(connection)
    with pytest.raises(RowAltered, match=f"its table {table} "):
        read(any_ledger)


# Layouts are read with the features: tests/flows/test_ledger_tampering.py.
@pytest.mark.parametrize("table", sorted({one.name for one in SEALED} - {"feature_layouts"}))
def test_each_sealed_table_is_read_checked(any_ledger: Ledger, table: str) -> None:
    any_ledger.bind_checkpoint("m", "f" * 64, {"folder": "/x"})
    any_ledger.record_selection("m", 1, NAMES[:2])
    any_ledger.record_reading("job", "labelled-test")
    any_ledger.record_move("m", 1, "champion", "first")
    audited(any_ledger)
    read(any_ledger)
    with any_ledger.engine.begin() as connection:
        connection.execute(update(schema.metadata.tables[table]).values(seal=b"x" * 16))
    with pytest.raises(RowAltered, match=f"its table {table} .*\n.*from a backup"):
        read(any_ledger)


def test_number_of_somebody_set_aside_is_not_given_to_a_new_person(any_ledger: Ledger) -> None:
    rows = audited(any_ledger)
    lite = any_ledger.engine.dialect.name == "sqlite"
    with any_ledger.engine.connect() as connection:
        aside = connection.execute(select(PEOPLE).order_by(PEOPLE.c.id)).mappings().all()[-2:]
    number = aside[0]["id"]

    def change(*statements: Executable) -> None:
        """As somebody to whom no reference between tables is sacred."""
        with any_ledger.engine.connect() as connection:
            off = "PRAGMA foreign_keys=OFF" if lite else "SET session_replication_role = replica"
            connection.connection.cursor().execute(off)
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            connection.invalidate()

    if lite:
        again = "UPDATE sqlite_sequence SET seq = {} - 1 WHERE name = 'subjects'"
    else:
        again = "SELECT setval('subjects_id_seq', {}, false)"
    change(delete(PEOPLE).where(PEOPLE.c.id >= number), text(again.format(number)))
    Watchlists(any_ledger).add("guests", [Member("Innocent Person", {})])
    insert_back = insert_ignore(any_ledger.engine, PEOPLE)
    change(*(insert_back.values(**person) for person in aside))
    assert {found.text for found in rows.findings()} == set(NAMES)


CHANGING = {
    "sqlite": (
        "CREATE TRIGGER t AFTER INSERT ON promotions BEGIN "
        "UPDATE promotions SET version = 7, reason = 'all gates passed' WHERE id = NEW.id; END",
    ),
    "postgresql": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.version := 7; NEW.reason := 'all gates passed'; RETURN NEW; END $$",
        "CREATE TRIGGER t BEFORE INSERT ON promotions FOR EACH ROW EXECUTE FUNCTION f()",
    ),
}
DROPPING = {
    "sqlite": ("CREATE TRIGGER t BEFORE INSERT ON {} BEGIN SELECT RAISE(IGNORE); END",),
    "postgresql": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION f()",
    ),
}
TAKEN = {
    "sqlite": (
        "CREATE TRIGGER t BEFORE INSERT ON promotions WHEN NEW.id % 2 = 0 "
        "BEGIN SELECT RAISE(ABORT, 'taken'); END",
    ),
    "postgresql": ("ALTER TABLE promotions ADD CONSTRAINT odd CHECK (id % 2 = 1)",),
}


def execute(ledger: Ledger, statements: Mapping[str, Sequence[str]], table: str = "") -> None:
    with ledger.engine.begin() as connection:
        for statement in statements[ledger.engine.dialect.name]:
            connection.execute(text(statement.format(table)))


def test_what_a_trigger_wrote_instead_is_refused(any_ledger: Ledger) -> None:
    execute(any_ledger, CHANGING)
    any_ledger.record_move("m", 1, "champion", "a gate failed")
    with pytest.raises(RowAltered, match="promotions"):
        any_ledger.moves("m")


@pytest.mark.parametrize("table", ["subjects", "watchlist_subjects", "watchlists"])
def test_row_that_the_database_drops_is_noticed(any_ledger: Ledger, table: str) -> None:
    Watchlists(any_ledger).add("staff", [Member(NAMES[0], {})])
    execute(any_ledger, DROPPING, table)
    with pytest.raises(RowAltered, match=f"its table {table} "):
        Watchlists(any_ledger).add(table.replace("_", "-"), [Member(name, {}) for name in NAMES])


def test_move_that_the_database_drops_is_noticed(any_ledger: Ledger) -> None:
    execute(any_ledger, DROPPING, "promotions")
    with pytest.raises(RowAltered, match="its table promotions "):
        any_ledger.record_move("m", 1, "champion", "first")


def test_number_that_another_row_has_is_drawn_anew(any_ledger: Ledger) -> None:
    execute(any_ledger, TAKEN)  # a check's error is of the same kind
    for version in range(10):
        any_ledger.record_move("m", version, "champion", "")
    assert [move.version for move in any_ledger.moves("m")] == list(range(10))


def test_tuni_itself_may_erase_rotate_import_and_go_on(any_ledger: Ledger) -> None:
    rows = audited(any_ledger)
    audited(any_ledger, "guests")
    assert forget(any_ledger, NAMES[:2]) == 2
    assert rows.counts() == (2, 2)
    assert [one.subjects for one in Watchlists(any_ledger).list()] == [2, 2]
    rotate(any_ledger, lambda _: None)
    read(any_ledger)
    with Ledger.open(any_ledger.home) as again:
        assert Watchlists(again).add("staff", [Member(NAMES[0], {})]).new == 1
        read(again)
        assert Watchlists(again).get("staff").subjects == 3


def test_rows_of_the_time_before_are_sealed_block_by_block(any_ledger: Ledger) -> None:
    audited(any_ledger)
    many = [Member(f"Person Number{n}", {}) for n in range(2100)]
    Watchlists(any_ledger).add("guests", many)
    with any_ledger.engine.begin() as connection:
        for table in SEALED:
            connection.execute(update(table).values(seal=None))
        count = any_ledger.seals.seal_all(connection)
    read(any_ledger)
    assert count > 2 * len(many)


def test_a_verdict_that_comes_after_the_end_is_left_out(any_ledger: Ledger) -> None:
    lists, audits = Watchlists(any_ledger), Audits(any_ledger)
    lists.add("staff", [Member(name, {}) for name in NAMES])
    begun = audits.begin(lists.get("staff"), PLAN)
    rows = AuditRows(any_ledger, begun.id)
    first, *late = [KeptVerdict(one.id, 1.0, 0.1, 0.5, "") for one in rows.shard(0)]
    rows.write([first])
    audits.end(begun.id, "partial", {0.1: 0.1}, rows.levels(), {"found": 0})
    assert rows.write(late) == 0
    assert rows.counts() == (4, 1)
    audits.reopen(begun.id)
    assert rows.write(late) == 3


def test_processes_that_import_one_list_together_count_together(any_ledger: Ledger) -> None:
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.ledger.ledger import Ledger;"
        "from registry.audits.watchlists import Member, Watchlists\n"
        "with Ledger.open(Home.open(Path(sys.argv[1]), database=sys.argv[2])) as ledger:\n"
        "    for part in range(5):\n"
        "        names = [f'Person Number{n}' for n in range(part * 10, part * 10 + 20)]\n"
        "        Watchlists(ledger).add('staff', [Member(name, {}) for name in names])"
    )
    done = run_all(code, [(any_ledger.home.root, url)] * 3)
    assert [one.returncode for one in done] == [0, 0, 0]
    assert Watchlists(any_ledger).get("staff").subjects == 60
    assert len(list(Watchlists(any_ledger).members("staff"))) == 60


def test_rows_of_an_unknown_audit_are_not_found(ledger: Ledger) -> None:
    with pytest.raises(AuditNotFound, match="tuni audits list"):
        AuditRows(ledger, "nothing").counts()

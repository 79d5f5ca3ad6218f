import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from registry.ledger import schema
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tests.forked import run_all
from tuni.errors import TrailBroken

TABLE = schema.trail


def filled(ledger: Ledger, entries: int = 8) -> Trail:
    trail = Trail(ledger)
    for number in range(entries):
        trail.append("tested", audit=f"a{number}", subjects=number)
    return trail


def test_entries_come_back_in_order_and_the_chain_is_sound(any_ledger: Ledger) -> None:
    trail = filled(any_ledger)
    assert [entry.details["subjects"] for entry in trail.entries()] == list(range(8))
    assert trail.verify() == trail.head()
    assert trail.head().entries == 8
    assert all(entry.at.endswith("+00:00") for entry in trail.entries())


def test_a_clock_that_goes_backwards_breaks_nothing(ledger: Ledger) -> None:
    for hour in (12, 3, 23):
        Trail(ledger, partial(datetime, 2026, 1, 1, hour, tzinfo=UTC)).append("tested")
    assert [entry.at[11:13] for entry in Trail(ledger).entries()] == ["12", "03", "23"]
    assert Trail(ledger).verify().entries == 3


def test_an_empty_trail_is_sound(any_ledger: Ledger) -> None:
    assert Trail(any_ledger).verify().entries == 0


def _change(connection: Connection, dice: random.Random, count: int) -> None:
    number = dice.randint(1, count)
    column = dice.choice(["at", "action", "details", "mac"])
    query = select(TABLE.c[column]).where(TABLE.c.number == number)
    value = str(connection.execute(query).scalar_one())
    place = dice.randrange(len(value))
    flipped = value[:place] + dice.choice("0123456789abcdefx") + value[place + 1 :]
    if flipped == value:
        flipped = f"{value}0"[: 64 if column != "details" else None]
    if flipped == value:
        flipped = value[:-1]
    connection.execute(update(TABLE).where(TABLE.c.number == number).values({column: flipped}))


def _remove(connection: Connection, dice: random.Random, count: int) -> None:
    connection.execute(delete(TABLE).where(TABLE.c.number == dice.randint(1, count)))


def _remove_and_close_the_gap(connection: Connection, dice: random.Random, count: int) -> None:
    number = dice.randint(1, count)
    connection.execute(delete(TABLE).where(TABLE.c.number == number))
    for later in range(number + 1, count + 1):
        move = update(TABLE).where(TABLE.c.number == later).values(number=later - 1)
        connection.execute(move)


def _cut_the_end(connection: Connection, dice: random.Random, count: int) -> None:
    connection.execute(delete(TABLE).where(TABLE.c.number > dice.randint(0, count - 1)))


def _swap(connection: Connection, dice: random.Random, count: int) -> None:
    one, two = dice.sample(range(1, count + 1), 2)
    for old, new in ((one, 10_000), (two, one), (10_000, two)):
        connection.execute(update(TABLE).where(TABLE.c.number == old).values(number=new))


def _add(connection: Connection, dice: random.Random, count: int) -> None:
    row: dict[str, Any] = dict(connection.execute(select(TABLE)).mappings().first() or {})
    connection.execute(insert(TABLE), row | {"number": count + 1})


@pytest.mark.parametrize(
    "tamper", [_change, _remove, _remove_and_close_the_gap, _cut_the_end, _swap, _add]
)
def test_tampering_is_noticed(
    ledger: Ledger, tamper: Callable[[Connection, random.Random, int], None]
) -> None:
    trail = filled(ledger)
    for seed in range(25):
        with ledger.engine.connect() as connection:
            kept = connection.execute(select(TABLE)).mappings().all()
        with ledger.engine.begin() as connection:
            tamper(connection, random.Random(seed), 8)
        with pytest.raises(TrailBroken, match="entry"):
            trail.verify()
        with ledger.engine.begin() as connection:
            connection.execute(delete(TABLE))
            connection.execute(insert(TABLE), [dict(row) for row in kept])
        trail.verify()


def test_processes_that_append_together_make_one_chain(any_ledger: Ledger) -> None:
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.ledger.ledger import Ledger; from registry.ledger.trail import Trail\n"
        "with Ledger.open(Home.open(Path(sys.argv[1]), database=sys.argv[2])) as ledger:\n"
        "    for n in range(20): Trail(ledger).append('tested', n=n)"
    )
    done = run_all(code, [(any_ledger.home.root, url)] * 3)
    assert [one.returncode for one in done] == [0, 0, 0]
    assert Trail(any_ledger).verify().entries == 60


def test_an_entry_stands_only_if_its_transaction_does(any_ledger: Ledger) -> None:
    trail = filled(any_ledger, 2)
    with any_ledger.engine.connect() as connection:
        trail.append_in(connection, "undone")
        connection.rollback()
    assert trail.verify().entries == 2

"""`tuni init`, `tuni keys`, `tuni ledger` and `tuni forget`: keeping the ledger."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Json
from flows.cli.verbs import group, open_settings, verb
from flows.machine.show import answer, results
from tuni.errors import RequestError

keys = group("keys", "The home's key.")
ledger = group("ledger", "Verify, upgrade and prune the ledger.")


_AGE = re.compile(r"(\d{1,5})([dwy])", re.ASCII)
_DAYS = {"d": 1, "w": 7, "y": 365}
_MOST_DAYS = 36_500


@verb("tuni init")
def init(as_json: Json = False) -> None:
    """Make home, keys and ledger, or look whether they are sound; safe to repeat."""
    from flows.machine.upkeep import init_home

    made = init_home(open_settings())
    answer(made, as_json=as_json)


@verb("tuni keys rotate", of=keys)
def rotate(as_json: Json = False) -> None:
    """Replace the home's key; texts, features and pseudonyms stay as they are.

    Others on this machine may work meanwhile; pause other machines of a shared ledger, which need
    the new key. Interrupted, the same command goes on.
    """
    from flows.machine.upkeep import rotate_key

    generation = rotate_key(open_settings())
    text = (
        f"the home's key is replaced (generation {generation}); back the new one up, apart from "
        "the ledger, and destroy the backups of the old one"
    )
    results({"generation": generation}, text, as_json=as_json)


@verb("tuni ledger verify --json", of=ledger)
def verify(as_json: Json = False) -> None:
    """Check the chain of the audit trail; exit code 1 where it was tampered with.

    Only a whole older ledger put back looks sound: note the head that is printed elsewhere.
    """
    from flows.machine.home import open_ledger
    from registry.ledger.trail import Trail

    with open_ledger(open_settings()) as opened:
        head = Trail(opened).verify()
    record = {"sound": True, "entries": head.entries, "head": str(head)}
    text = f"audit trail: {head.entries:,} entries, none changed, removed or reordered; head {head}"
    results(record, text, as_json=as_json)


@verb("tuni ledger trail --json", of=ledger)
def trail(as_json: Json = False) -> None:
    """Show the audit trail: what was done and when; it names nobody."""
    from dataclasses import asdict

    from flows.machine.home import open_ledger
    from registry.ledger.trail import Trail

    with open_ledger(open_settings()) as opened:
        entries = list(Trail(opened).entries())
    lines = [
        f"{one.number:>6}  {one.at[:19]}  {one.action:<22} "
        + " ".join(f"{name}={value}" for name, value in one.details.items())
        for one in entries
    ]
    record = {"entries": [asdict(one) for one in entries]}
    results(record, "\n".join(lines) or "the audit trail is empty", as_json=as_json)


@verb("tuni ledger upgrade", of=ledger)
def upgrade(as_json: Json = False) -> None:
    """Bring the ledger's schema to this version's; back it up first.

    SQLite is upgraded by itself at first use; a Postgres that others share only by this command.
    """
    from flows.machine.upkeep import upgrade_ledger

    schema = upgrade_ledger(open_settings())
    results({"schema": schema}, f"the ledger has schema {schema}", as_json=as_json)


@verb("tuni ledger prune --older-than 90d --dry-run", of=ledger)
def prune(
    older_than: Annotated[str, typer.Option(help="Age in days, weeks or years: 90d, 12w, 2y.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Let audits go that ended longer ago, and everybody whom nothing holds any more.

    Audits that never ended go as well, if they began longer ago and no process works on them.

    Held are people on a watch list, in an audit, or with a part in choosing a detector. The others
    are texts whose features were kept, decoys above all; they are computed anew when needed. The
    audit trail stays.
    """
    from dataclasses import asdict

    from flows.machine.home import open_ledger
    from registry.ledger.erasure import prune as let_go

    before = datetime.now(UTC) - timedelta(days=_days(older_than))
    with open_ledger(open_settings()) as opened:
        gone = let_go(opened, before, dry_run=dry_run)
    words = "would go" if dry_run else "are gone"
    text = f"{gone.audits:,} audits and {gone.subjects:,} texts that nothing holds {words}"
    results(asdict(gone) | {"dry_run": dry_run}, text, as_json=as_json)


@verb("tuni forget --subjects people.csv")
def forget(
    subjects: Annotated[
        Path | None,
        typer.Option(help="Table with a column text (as for tuni score); - reads one text a line."),
    ] = None,
    keep_key: Annotated[
        bool,
        typer.Option(
            "--keep-key", help="Don't rotate the home's key: old backups can then be opened."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Erase people: their data keys, texts, features, verdicts, list memberships and pseudonyms.

    Names come from a file or from standard input (--subjects -), never as an argument: that would
    stand in the shell's history. Then the home's key is rotated, so that backups of the ledger
    do not open any more, and the home is searched for what might be left.
    """
    from flows.machine.upkeep import forget_people, read_names

    if subjects is None:
        raise RequestError(
            "--subjects: not given", "name a file, or - to type one name a line, then Ctrl-D"
        )
    settings = open_settings()
    names = read_names(sys.stdin.buffer.read()) if str(subjects) == "-" else read_names(subjects)
    outcome = forget_people(names, settings, keep_key=keep_key)
    answer(outcome, as_json=as_json)
    if outcome.traces:
        raise typer.Exit(1)


def _days(age: str) -> int:
    found = _AGE.fullmatch(age)
    if found is None:
        raise RequestError(f"--older-than: {age!r} is no age", "give days, weeks or years: 90d")
    days = int(found[1]) * _DAYS[found[2]]
    if not 1 <= days <= _MOST_DAYS:
        raise RequestError(f"--older-than: {age!r} is out of range", "give 1d to 100y")
    return days


@verb("tuni doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what is installed, which devices there are and whether the home is sound."""
    from flows.machine.doctor import examine

    report = examine(open_settings())
    answer(report, as_json=as_json)
    if not report.sound:
        raise typer.Exit(1)

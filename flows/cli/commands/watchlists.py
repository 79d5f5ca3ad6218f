"""`tuni watchlist`: lists of people, kept encrypted in the ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Json, Names
from flows.cli.verbs import group, open_settings, verb
from flows.machine.show import answer, results
from tuni.errors import RequestError

watchlist = group("watchlist", "Import, list, show, export and delete watch lists.")

Name = Annotated[str, typer.Argument(help="Name of the watch list.")]


@verb("tuni watchlist import people.csv --name customers", of=watchlist, name="import")
def import_list(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Parquet or JSON Lines with a column text; other columns are kept too."
        ),
    ],
    name: Annotated[
        str, typer.Option(help="Name of the list; shown in MLflow and Prefect, so no person's.")
    ],
    names: Names = "first-last",
    as_json: Json = False,
) -> None:
    """Add the people of a file to a list; importing a file twice changes nothing."""
    from flows.auditing.watchlists import import_file

    outcome = import_file(file, name, open_settings(), names)
    answer(outcome, as_json=as_json)


@verb("tuni watchlist list --json", of=watchlist, name="list")
def list_lists(as_json: Json = False) -> None:
    """List the watch lists and how many people each holds."""
    from flows.machine.home import open_ledger
    from registry.audits.watchlists import Watchlists

    with open_ledger(open_settings()) as ledger:
        found = Watchlists(ledger).list()
    lines = [f"{'NAME':<32} {'SUBJECTS':>10}  MADE"]
    lines += [
        f"{entry.name:<32} {entry.subjects:>10,}  {entry.created_at:%Y-%m-%d}" for entry in found
    ]
    text = "\n".join(lines) if found else "no watch list yet; `tuni watchlist import` makes one"
    results({"watchlists": [entry.record() for entry in found]}, text, as_json=as_json)


@verb("tuni watchlist show customers", of=watchlist)
def show(name: Name, as_json: Json = False) -> None:
    """Show a list's size and its audits; names of people are not shown."""
    from flows.auditing.outcome import AuditOutcome
    from flows.machine.home import open_ledger
    from registry.audits.audits import Audits
    from registry.audits.watchlists import Watchlists

    with open_ledger(open_settings()) as ledger:
        entry = Watchlists(ledger).get(name)
        audits = Audits(ledger).list(name)
    lines = [f"{entry.name}: {entry.subjects:,} subjects, {len(audits)} audits"]
    lines += [AuditOutcome.of(audit).text() for audit in audits]
    record = entry.record() | {"audits": [audit.id for audit in audits]}
    results(record, "\n".join(lines), as_json=as_json)


@verb("tuni watchlist export customers --out customers.csv", of=watchlist)
def export(
    name: Name,
    out: Annotated[
        Path,
        typer.Option(help="CSV, Parquet or JSON Lines to write; holds the names in clear."),
    ],
    as_json: Json = False,
) -> None:
    """Write a list's people, in clear, to a file of your own."""
    from flows.auditing.watchlists import export_list

    count = export_list(name, out, open_settings())
    record = {"out": str(out), "subjects": count}
    results(record, f"{out}: {count:,} subjects", as_json=as_json, outputs=[out])


@verb("tuni watchlist delete customers --yes", of=watchlist)
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a list. Its audits stay, and so do the people: `tuni forget` erases them."""
    from flows.machine.home import open_ledger
    from registry.audits.watchlists import Watchlists

    with open_ledger(open_settings()) as ledger:
        lists = Watchlists(ledger)
        entry = lists.get(name)
        if not yes and not sys.stdin.isatty():
            raise RequestError("watchlist delete: nobody is there to be asked", "add --yes")
        if not yes:
            typer.confirm(f"delete {name} ({entry.subjects:,} subjects)?", abort=True, err=True)
        lists.delete(name)
    results({"deleted": name}, f"{name} is deleted", as_json=as_json)

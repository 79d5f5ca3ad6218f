"""The `tuni` command: its verbs, found in the folder `commands`, and how it ends.

Nothing heavy is imported before a verb needs it, so that help is immediate.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.verbs import app as app
from flows.machine.show import results, say
from tuni import __version__

INTERRUPTED = "interrupted\n  fix: the same command goes on where this one stopped"

for module in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py")):
    importlib.import_module(f"flows.cli.commands.{module.stem}")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tuni {__version__}")
        raise typer.Exit


@app.callback()
def first(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version, and stop.", is_eager=True, callback=_tell_version
        ),
    ] = False,
) -> None:
    """What every verb begins with: nothing but the options of the command itself."""


def main() -> None:
    """Run the command and turn every outcome into an exit code and one clear sentence."""
    from flows.machine.guard import guard
    from tuni.errors import ClaimWithheld, InputError, ProgramFault, TuniError

    os.umask(0o077)  # what it makes, and its children, is for its owner alone
    try:
        with guard("command"):
            _call()
    except InputError as error:
        _stop(str(error), 2)
    except ClaimWithheld as error:
        _stop(str(error), 3)
    except ProgramFault as error:
        from flows.machine.services.flow_server import ended_early

        _stop(str(ended_early() or error), 1)
    except TuniError as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop(INTERRUPTED, 130)
    except SystemExit as end:  # typer swallows Ctrl-C
        if end.code == 130:
            _stop(INTERRUPTED, 130)
        raise


def _call() -> None:
    try:
        app(standalone_mode=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _stop(message: str, code: int) -> None:
    if "--json" in sys.argv:
        problem, _, fix = message.partition("\n  fix: ")
        results({"error": problem, "fix": fix or None, "exit": code}, "", as_json=True)
    say(f"tuni: {message}")
    sys.exit(code)

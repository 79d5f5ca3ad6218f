"""The `tuni` command: each verb parses, calls one function, shows the result.

Nothing heavy is imported before a verb needs it, so that help is immediate.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.audits import audit, audits, compare
from flows.cli.benchmark import benchmark
from flows.cli.home import forget, init, keys, ledger
from flows.cli.models import models
from flows.cli.options import Decoys, Dependence, DetectorVersion, ListDecoys
from flows.cli.report import report
from flows.cli.services import down, status, up
from flows.cli.start import open_settings
from flows.cli.verbs import verbs
from flows.cli.watchlists import watchlist
from flows.machine.show import results, say
from tuni import __version__

app = verbs(
    "Was this person's data in the training set of a CLIP model? Evidence from text alone.", "tuni"
)
app.command(epilog="Example: tuni init")(init)
app.add_typer(keys, name="keys")
app.add_typer(ledger, name="ledger")
app.command(epilog="Example: tuni forget --subjects people.csv")(forget)
app.add_typer(models, name="models")
app.add_typer(watchlist, name="watchlist")
app.command(epilog="Example: tuni audit --checkpoint ours-vit-b-32 --watchlist customers")(audit)
app.add_typer(audits, name="audits")
app.command(epilog="Example: tuni compare 3f9c0a7be214 81d2c6f00a5e --report page.html")(compare)

INTERRUPTED = "interrupted\n  fix: the same command goes on where this one stopped"

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


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


@app.command(epilog="Example: tuni run audit.toml")
def run(
    request: Annotated[Path, typer.Argument(help="Request file (TOML); see docs/guide.md.")],
    estimate_only: Annotated[
        bool, typer.Option("--estimate-only", help="Print what it would cost, and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Search, calibrate, evaluate and register a detector for one checkpoint.

    Stopped at any moment, the same command goes on where it was.
    """
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.services.flow_server import start_flow_server
    from flows.machine.settings import read_request

    asked = read_request(request)
    if not estimate_only:
        start_flow_server(settings)
    say("loading the checkpoint, then measuring what the job will cost")  # imports take seconds

    from flows.job.estimate import estimate
    from flows.job.job import shared_jobs
    from flows.run import run_request

    with shared_jobs():
        cost = estimate(asked)
        if estimate_only:
            results(cost.record(), cost.text(), as_json=as_json)
            return
        say(cost.text())
        outcome = run_request(asked)
    results(outcome.record(), outcome.text(), as_json=as_json)
    if outcome.withheld:
        raise typer.Exit(3)


@app.command(
    epilog="Example: tuni score --checkpoint ours-vit-b-32 --subjects people.csv --out verdicts.csv"
)
def score(
    checkpoint: Annotated[str, typer.Option(help="Name of the registered checkpoint.")],
    subjects: Annotated[
        Path,
        typer.Option(
            help="CSV, Parquet (.parquet) or JSON Lines (.jsonl) with a column text; others pass "
            "through."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Verdicts; the suffix says the format, as above.")],
    version: DetectorVersion = "champion",
    folder: Annotated[
        Path | None, typer.Option(help="Checkpoint folder, if not the one of `tuni run`.")
    ] = None,
    list_decoys: ListDecoys = True,
    decoys: Decoys = None,
    dependence: Dependence = "bh",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Write rows that cannot be scored with the reason.")
    ] = False,
    pseudonymous: Annotated[
        bool,
        typer.Option(
            "--pseudonymous",
            help="Write this home's keyed pseudonyms instead of texts, and no other column of "
            "the input.",
        ),
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="Torch device: cpu, cuda or cuda:N; else TUNI_DEVICE.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder of pictures: a folder for each subject, named by the text, or what the "
            "list's column pictures names below it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a verdict for each text of a list with a registered detector."""
    from flows.scoring.score import ScoreRequest, score_file

    outcome = score_file(
        ScoreRequest(
            checkpoint=checkpoint,
            subjects=subjects,
            out=out,
            version=version,
            folder=folder,
            list_decoys=list_decoys,
            decoys=decoys,
            dependence=dependence,
            skip_bad=skip_bad,
            pseudonymous=pseudonymous,
            device=device,
            pictures=pictures,
        ),
        open_settings(),
        lambda cost: say(cost.text()),
    )
    results(outcome.record(), outcome.text(), as_json=as_json, outputs=[out])
    if outcome.withheld:
        raise typer.Exit(3)


@app.command(epilog="Example: tuni serve --checkpoint ours-vit-b-32 --port 5001")
def serve(
    checkpoint: Annotated[str, typer.Option(help="Name of the registered checkpoint.")],
    version: DetectorVersion = "champion",
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port on loopback.")] = 5001,
    folder: Annotated[
        Path | None, typer.Option(help="Checkpoint folder, if not the one of `tuni run`.")
    ] = None,
    list_decoys: Annotated[
        bool, typer.Option(help="Also rank each text among decoys of the request's own name parts.")
    ] = True,
    device: Annotated[
        str | None, typer.Option(help="Torch device: cpu, cuda or cuda:N; else TUNI_DEVICE.")
    ] = None,
    tell_selected: Annotated[
        bool,
        typer.Option(
            "--tell-selected",
            help="Flag texts that the detector was chosen on: tells who is on your lists.",
        ),
    ] = False,
) -> None:
    """Serve a detector on loopback, until interrupted.

    Whoever asks needs the token in the home's file serve.token. Texts per minute are limited, and
    each query leaves an entry in the audit trail.
    """
    from flows.scoring.serve import ServeRequest, serve_detector

    serve_detector(
        ServeRequest(checkpoint, version, port, folder, list_decoys, device, tell_selected),
        open_settings(),
    )


@app.command("testbed", epilog="Example: tuni testbed --size demo --seed 1 --out my-testbed")
def make_testbed(
    out: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    size: Annotated[
        Literal["full", "demo", "test"], typer.Option(help="How much is drawn and trained.")
    ] = "full",
    seed: Annotated[int, typer.Option(min=0, help="Seed of people, pictures and training.")] = 0,
    captions: Annotated[
        Literal["short", "described"],
        typer.Option(help="The name nearly alone, or half the time within a description."),
    ] = "short",
    namesakes: Annotated[
        int, typer.Option(min=0, help="Strangers who share a member's whole name.")
    ] = 0,
    pictures: Annotated[
        int,
        typer.Option(
            min=0, max=100, help="New pictures of each person of watch.csv and each namesake."
        ),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train a small CLIP whose members are known, to check claims against."""
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.benchmark.demo import TestbedRequest, write_testbed

    asked = TestbedRequest(out, size, seed, captions, namesakes, pictures)
    outcome = write_testbed(asked, settings)
    results(outcome.record(), outcome.text(), as_json=as_json)


app.command(epilog="Example: tuni report evidence.json --out page.html")(report)
app.command(epilog="Example: tuni benchmark --size demo --seed 21 --out benchmark")(benchmark)


@app.command(epilog="Example: tuni demo")
def demo(as_json: Json = False) -> None:
    """Do the whole job on a small testbed and compare the verdicts with the truth."""
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.services.flow_server import start_flow_server

    start_flow_server(settings)

    from flows.benchmark.demo import run_demo

    outcome = run_demo(settings)
    results(outcome.record(), outcome.text(), as_json=as_json)


app.command(epilog="Example: tuni up --mlflow-port 5001")(up)
app.command(epilog="Example: tuni down")(down)
app.command(epilog='Examples: tuni status --json, env=$(tuni status --env) && eval "$env"')(status)


@app.command(epilog="Example: tuni doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what is installed, which devices there are and whether the home is sound."""
    from flows.machine.doctor import examine

    report = examine(open_settings())
    results(report.record(), report.text(), as_json=as_json)
    if not report.sound:
        raise typer.Exit(1)


def main() -> None:
    """Run the command and turn every outcome into an exit code and one clear sentence."""
    from flows.machine.guard import report_fault
    from tuni.errors import ClaimWithheld, InputError, TuniError

    os.umask(0o077)  # what it makes, and its children, is for its owner alone
    try:
        app(standalone_mode=True)
    except InputError as error:
        _stop(str(error), 2)
    except ClaimWithheld as error:
        _stop(str(error), 3)
    except TuniError as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop(INTERRUPTED, 130)
    except SystemExit as end:  # typer swallows Ctrl-C
        if end.code == 130:
            _stop(INTERRUPTED, 130)
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the one place where a fault of ours becomes a sentence
        report_fault(error, "tuni")
        from flows.machine.services.flow_server import ended_early

        if (fault := ended_early()) is not None:
            _stop(str(fault), 1)
        _stop(
            f"{type(error).__name__}, a fault of this program\n  fix: see logs/tuni.log in the "
            "home, and report it with the frames there",
            1,
        )


def _stop(message: str, code: int) -> None:
    if "--json" in sys.argv:
        problem, _, fix = message.partition("\n  fix: ")
        results({"error": problem, "fix": fix or None, "exit": code}, "", as_json=True)
    say(f"tuni: {message}")
    sys.exit(code)

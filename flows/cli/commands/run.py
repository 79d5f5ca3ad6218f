"""`tuni run`: from a request to a registered detector."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Json
from flows.cli.verbs import open_settings, verb
from flows.machine.show import answer, say


@verb("tuni run audit.toml")
def run(
    request: Annotated[Path, typer.Argument(help="Request file (TOML); see docs/guide.md.")],
    estimate_only: Annotated[
        bool, typer.Option("--estimate-only", help="Print what it would cost, and stop.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out texts that cannot be scored, and count them."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Search, calibrate, evaluate and register a detector for one checkpoint.

    Stopped at any moment, the same command goes on where it was.
    """
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.mistakes import require_paths
    from flows.machine.services.flow_server import start_flow_server
    from flows.machine.settings import read_request
    from tuni.model.reading.source import CheckpointSource
    from tuni.model.registry import kind_of

    asked = read_request(request)
    if skip_bad:
        subjects = asked.subjects.model_copy(update={"skip_bad": True})
        asked = asked.model_copy(update={"subjects": subjects})
    # What nothing has to be loaded or started for is refused at once.
    require_paths(asked)
    kind_of(CheckpointSource(**asked.checkpoint.model_dump(exclude={"name"})))
    if not estimate_only:
        start_flow_server(settings)
    say("loading the checkpoint, then measuring what the job will cost")  # imports take seconds

    from flows.job.estimate import estimate
    from flows.job.job import shared_jobs
    from flows.machine.kinds import requests_of
    from flows.run import run_request

    withheld = False
    for one in requests_of(asked):  # a detector for each kind of text that its fields make
        with shared_jobs():
            cost = estimate(one)
            if estimate_only:
                answer(cost, as_json=as_json)
                continue
            say(cost.text())
            outcome = run_request(one)
        answer(outcome, as_json=as_json)
        withheld |= bool(outcome.withheld)
    if withheld:
        raise typer.Exit(3)

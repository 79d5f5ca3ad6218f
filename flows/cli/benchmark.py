"""`tuni benchmark`: our detector and the methods that a user could pick instead, side by side."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.start import open_settings
from flows.machine.show import results

SEEDS = (21, 22, 23)  # nothing was tuned on these


def benchmark(
    out: Annotated[Path, typer.Option(help="Folder of the tables; a stopped one goes on.")],
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Seed of a testbed; again for more. By default 21, 22, 23."),
    ] = None,
    captions: Annotated[
        Literal["short", "described", "both"], typer.Option(help="Caption regimes.")
    ] = "both",
    method: Annotated[
        list[str] | None, typer.Option(help="Method; again for more. By default all.")
    ] = None,
    size: Annotated[
        Literal["full", "demo", "test"], typer.Option(help="Size of the testbeds.")
    ] = "full",
    pictures: Annotated[int, typer.Option(min=1, max=100, help="New pictures of each person.")] = 4,
    testbeds: Annotated[
        Path | None, typer.Option(help="Folder that keeps testbeds; by default the home's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare our detector with other methods on testbeds whose members are known.

    Writes benchmark.html, .csv, .md and .json. Missing testbeds are trained first.
    """
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.benchmark.request import BenchmarkRequest, beds_of
    from flows.benchmark.run import run_benchmark

    regimes: tuple[Literal["short", "described"], ...] = (
        ("short", "described") if captions == "both" else (captions,)
    )
    beds = beds_of(size, seed or SEEDS, regimes)
    asked = BenchmarkRequest(out, beds, pictures=pictures, testbeds=testbeds)
    if method:
        asked = replace(asked, methods=tuple(method))
    outcome = run_benchmark(asked, settings)
    results(outcome.record(), outcome.text(), as_json=as_json)

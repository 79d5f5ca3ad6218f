"""`tuni benchmark`: our detector and the methods that a user could pick instead, side by side."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.show import results
from flows.start import open_settings


def benchmark(
    out: Annotated[Path, typer.Option(help="Folder of the tables; a stopped one goes on.")],
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed of a testbed; again for more.")
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

    from flows.benchmark import BenchmarkRequest, run_benchmark

    asked = BenchmarkRequest(out, size=size, pictures=pictures, testbeds=testbeds)
    asked = replace(
        asked,
        seeds=tuple(seed or asked.seeds),
        captions=asked.captions if captions == "both" else (captions,),
        methods=tuple(method or asked.methods),
    )
    outcome = run_benchmark(asked, settings)
    results(outcome.record(), outcome.text(), as_json=as_json)

"""`tuni testbed`, `demo` and `benchmark`: small CLIPs whose members are known."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import Json, Size
from flows.cli.verbs import open_settings, verb
from flows.machine.show import answer

SEEDS = (21, 22, 23)  # nothing was tuned on these


@verb("tuni benchmark --size demo --seed 21 --out benchmark")
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
    size: Size = "full",
    pictures: Annotated[int, typer.Option(min=1, max=100, help="New pictures of each person.")] = 4,
    testbeds: Annotated[
        Path | None, typer.Option(help="Folder that keeps testbeds; by default the home's.")
    ] = None,
    as_json: Json = False,
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
    answer(outcome, as_json=as_json)


@verb("tuni testbed --size demo --seed 1 --out my-testbed", name="testbed")
def make_testbed(
    out: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    size: Size = "full",
    seed: Annotated[int, typer.Option(min=0, help="Seed of people, pictures and training.")] = 0,
    captions: Annotated[
        Literal["short", "described"],
        typer.Option(help="The name nearly alone, or half the time within a description."),
    ] = "short",
    vocabulary: Annotated[
        Literal["closed", "own"],
        typer.Option(help="Whether people share first and last names, or have their own."),
    ] = "closed",
    looks: Annotated[
        Literal["free", "by-name"],
        typer.Option(help="Whether faces go with names: skin and hair by culture, gender."),
    ] = "free",
    namesakes: Annotated[
        int, typer.Option(min=0, help="Strangers who share a member's whole name.")
    ] = 0,
    pictures: Annotated[
        int,
        typer.Option(
            min=0, max=100, help="New pictures of each person of watch.csv and each namesake."
        ),
    ] = 0,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="Contact data in captions: phone, address or email; again for more, in turn."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a small CLIP whose members are known, to check claims against."""
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.benchmark.demo import TestbedRequest, write_testbed

    asked = TestbedRequest(
        out, size, seed, captions, vocabulary, looks, namesakes, pictures, tuple(field or ())
    )
    outcome = write_testbed(asked, settings)
    answer(outcome, as_json=as_json)


@verb("tuni demo")
def demo(size: Size = "demo", as_json: Json = False) -> None:
    """Do the whole job on a small testbed and compare the verdicts with the truth."""
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.services.flow_server import start_flow_server

    start_flow_server(settings)

    from flows.benchmark.demo import run_demo

    outcome = run_demo(settings, size)
    answer(outcome, as_json=as_json)

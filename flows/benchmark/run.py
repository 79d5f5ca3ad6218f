"""All methods on the same people: testbeds by seed and caption regime, one cell per method.

The one law: a cell (testbed, method, settings) is computed once and kept as scores without names;
every figure is computed from the cells, so that a stopped benchmark goes on where it was.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.benchmark.publish import track, write_tables
from flows.benchmark.request import FORMAT, BenchmarkOutcome, BenchmarkRequest
from flows.benchmark.table import Cell, figures_of, places_of
from flows.machine.console import current_progress
from flows.machine.home import open_home
from flows.machine.settings import Settings
from flows.machine.show import say
from flows.pages.kinds.benchmark_facts import Figures
from tuni.bench.peers import Bench, Peer, People, apply
from tuni.bench.testbed.build import Testbed, make_testbed
from tuni.bench.testbed.people import Person
from tuni.bench.testbed.unseen import people_of, unseen_pictures
from tuni.files import check_folder, write_output
from tuni.hashing import canonical_json
from tuni.lists.labelled import read_labelled
from tuni.model.load import load_target
from tuni.progress import Progress
from tuni.texts.text import canonical

GROUPS = ("member", "stranger", "hard")


def run_benchmark(request: BenchmarkRequest, settings: Settings) -> BenchmarkOutcome:
    """Compute the missing cells and write all tables.

    Raises:
        RequestError: An unknown method, or an output that is no folder.
        TooFewTexts: A testbed is too small for the comparison texts.
    """
    peers = request.peers
    cells = check_folder(request.out) / "cells"
    cache = open_home(settings).testbeds
    if request.testbeds is not None:
        cache = check_folder(request.testbeds, "--testbeds")
    cells.mkdir(parents=True, exist_ok=True)
    progress = current_progress.get()
    computed = 0
    figures: list[Figures] = []
    for made_from in request.beds:
        bed = make_testbed(made_from, cache, progress)
        people, rows, known = _people(bed)
        asked = [people[row] for row in rows]
        found: dict[str, Cell] = {}
        bench: Bench | None = None
        for peer in peers:
            path = cells / f"{made_from.seed}-{made_from.captions}-{peer.key}.json"
            identity = request.identity(made_from, peer)
            places = places_of(peer, asked, made_from)
            cell = _read(path, identity, len(places))
            if cell is None:
                say(f"seed {made_from.seed}, {made_from.captions} captions: {peer.title}")
                bench = bench or _bench(request, bed, people, rows, known, progress)
                cell = _computed(
                    peer,
                    bench if peer.asked is None else bench.about(places, peer.sizes(request.sizes)),
                )
                _write(path, identity, cell)
                computed += 1
            found[peer.key] = cell
        figures += figures_of(made_from, peers, found, asked, request.pictures)
    outcome = BenchmarkOutcome(request.out, tuple(figures), computed)
    evidence = write_tables(request, outcome)
    if computed:
        track(request, outcome, evidence, settings)
    return outcome


def _people(bed: Testbed) -> tuple[tuple[Person, ...], list[int], list[int]]:
    """Everybody, the rows that are asked about, and the rows of known non-members."""
    people = people_of(bed.settings)
    labelled = read_labelled(bed.labelled)
    known = {
        canonical(text)
        for text, member in zip(labelled.texts, labelled.members, strict=True)
        if not member
    }
    strangers = [
        row
        for row, person in enumerate(people)
        if person.group == "stranger" and canonical(person.text) in known
    ]
    asked = [
        row
        for row, person in enumerate(people)
        if person.group in GROUPS and row not in set(strangers)
    ]
    return people, asked, strangers


def _bench(
    request: BenchmarkRequest,
    bed: Testbed,
    people: Sequence[Person],
    rows: Sequence[int],
    known: Sequence[int],
    progress: Progress,
) -> Bench:
    def drawn(some: Sequence[int]) -> People:
        with progress.stage("drawing new pictures", len(some)) as step:
            pictures = unseen_pictures(bed.settings, some, request.pictures, step)
        return People(tuple(people[row].text for row in some), pictures)

    return Bench(
        load_target(bed.checkpoint),
        drawn(rows),
        drawn(known),
        sizes=request.sizes,
        seed=bed.settings.seed,
        progress=progress,
    )


def _computed(peer: Peer, bench: Bench) -> Cell:
    result, seconds = apply(peer, bench)
    return Cell(result.scores, result.accused, seconds)


def _read(path: Path, identity: str, subjects: int) -> Cell | None:
    """A kept cell, or None where it is missing, of other settings, or unreadable."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["identity"] != identity or len(body["scores"]) != subjects:
            return None
        accused: NDArray[np.bool_] = np.array(body["accused"], dtype=bool)
        return Cell(np.array(body["scores"], dtype=np.float64), accused, float(body["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, identity: str, cell: Cell) -> None:
    body = {
        "format": FORMAT,
        "identity": identity,
        "scores": cell.scores.tolist(),
        "accused": cell.accused.astype(int).tolist(),
        "seconds": cell.seconds,
    }
    write_output(path, canonical_json(body))

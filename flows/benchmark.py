"""All methods on the same people: testbeds by seed and caption regime, one cell per method.

The one law: a cell (testbed, method, settings) is computed once and kept as scores without names;
every figure is computed from the cells, so that a stopped benchmark goes on where it was.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.benchmark_page import benchmark_page
from flows.benchmark_table import (
    Cell,
    Figures,
    figures_of,
    places_of,
    write_csv_table,
    write_markdown,
)
from flows.console import current_progress
from flows.fact_page import render_page
from flows.ledger import open_home
from flows.report import write_page
from flows.settings import Settings
from flows.show import say
from registry.tracking import JobLabels, JobRun, code_commit, configure
from tuni import __version__
from tuni.errors import RequestError
from tuni.peers import OURS, PEERS, Bench, BenchSizes, Peer, People, apply
from tuni.progress import Progress
from tuni.spec import canonical_json, digest
from tuni.tables import read_labelled
from tuni.target import load_target
from tuni.testbed.build import Testbed, make_testbed
from tuni.testbed.people import Person
from tuni.testbed.settings import Captions, Size, TestbedSettings
from tuni.testbed.unseen import people_of, unseen_pictures
from tuni.texts import canonical

FORMAT = 1
GROUPS = ("member", "stranger", "hard")


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """What `tuni benchmark` was asked.

    Attributes:
        out: Folder of the tables and of the cells.
        beds: The testbeds; those of other seeds and regimes stand beside each other in the tables.
        methods: Keys of `tuni.peers.PEERS`; ours is always among them.
        pictures: New pictures of each person.
        sizes: Comparison texts and the paper's budget.
        testbeds: Where testbeds are kept; None is the home.
    """

    out: Path
    beds: tuple[TestbedSettings, ...]
    methods: tuple[str, ...] = tuple(peer.key for peer in PEERS)
    pictures: int = 4
    sizes: BenchSizes = field(default_factory=BenchSizes)
    testbeds: Path | None = None

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The methods, ours among them.

        Raises:
            RequestError: There is no such method.
        """
        known = {peer.key for peer in PEERS}
        if unknown := sorted(set(self.methods) - known):
            raise RequestError(
                f"--method: {unknown[0]!r} is unknown", f"name one of {', '.join(sorted(known))}"
            )
        return tuple(peer for peer in PEERS if peer.key in {*self.methods, OURS})


def beds_of(
    size: Size, seeds: Sequence[int], captions: Sequence[Captions]
) -> tuple[TestbedSettings, ...]:
    """Testbeds of one size, seed by seed in every regime."""
    return tuple(
        replace(TestbedSettings.of_size(size, seed), captions=regime)
        for seed in seeds
        for regime in captions
    )


@dataclass(frozen=True, slots=True)
class BenchmarkOutcome:
    """What came out.

    Attributes:
        out: The folder.
        figures: One per testbed and method.
        computed: Cells that were not there before.
    """

    out: Path
    figures: tuple[Figures, ...]
    computed: int

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return {
            "out": str(self.out),
            "computed": self.computed,
            "figures": [asdict(one) for one in self.figures],
        }

    def text(self) -> str:
        """A few lines for people."""
        beds = len({(one.seed, one.captions) for one in self.figures})
        lines = [
            f"{self.out / 'benchmark.html'}: {len(self.figures)} rows over {beds} testbeds, "
            f"{self.computed} of them computed now",
            "  beside it benchmark.csv, benchmark.md, benchmark.json",
        ]
        lines += [
            f"  seed {one.seed}, {one.captions}: {one.title}: AUC {one.auc:.3f}, strangers accused "
            f"by its own rule {one.strangers_accused.value:.3f}"
            for one in self.figures
        ]
        return "\n".join(lines)


def run_benchmark(request: BenchmarkRequest, settings: Settings) -> BenchmarkOutcome:
    """Compute the missing cells and write all tables.

    Raises:
        RequestError: An unknown method, or the output is a file.
        TooFewTexts: A testbed is too small for the comparison texts.
    """
    peers = request.peers
    if request.out.exists() and not request.out.is_dir():
        raise RequestError(f"--out: {request.out} is a file", "name a folder")
    cells = request.out / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    cache = request.testbeds or open_home(settings).testbeds
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
            identity, places = (
                _identity(request, made_from, peer),
                places_of(peer, asked, made_from),
            )
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
    page = _publish(request, outcome)
    if computed:
        _track(request, outcome, page, settings)
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


def _identity(request: BenchmarkRequest, made_from: TestbedSettings, peer: Peer) -> str:
    """Hash of all that a method's cell depends on."""
    particular = {"asked": peer.asked, "revision": peer.revision}
    return digest(
        {
            "format": FORMAT,
            "version": __version__,
            "testbed": made_from.hash,
            "pictures": request.pictures,
            "sizes": asdict(peer.sizes(request.sizes)),
            # Left out where there is nothing particular, so that cells kept before still count.
            **{name: value for name, value in particular.items() if value},
        }
    )


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
    _replace(path, canonical_json(body))


def _publish(request: BenchmarkRequest, outcome: BenchmarkOutcome) -> str:
    """Write CSV, Markdown, JSON and HTML, each whole; gives the HTML."""
    out = request.out
    body = {
        "format": FORMAT,
        "version": __version__,
        "testbeds": [dict(one.as_json()) for one in request.beds],
        "pictures": request.pictures,
        "sizes": asdict(request.sizes),
        "figures": [asdict(one) for one in outcome.figures],
    }
    write_csv_table(outcome.figures, out / "benchmark.csv")
    _replace(out / "benchmark.md", write_markdown(outcome.figures))
    _replace(out / "benchmark.json", json.dumps(body, indent=1, sort_keys=True) + "\n")
    page = render_page(benchmark_page(outcome.figures, request.pictures))
    write_page(page, out / "benchmark.html")
    return page


def _track(
    request: BenchmarkRequest, outcome: BenchmarkOutcome, page: str, settings: Settings
) -> None:
    """One MLflow run of the benchmark: figures by method and testbed, and the page."""
    identities = [_identity(request, one, peer) for one in request.beds for peer in request.peers]
    labels = JobLabels(
        job=digest({"cells": identities, "methods": [peer.key for peer in request.peers]}),
        name=f"benchmark: {len(request.beds)} testbeds, {len(request.peers)} methods",
        checkpoint="testbeds",
        fingerprint=digest([one.hash for one in request.beds]),
        spec=digest(asdict(request.sizes)),
        version=__version__,
        commit=code_commit(),
        kind="benchmark",
    )
    metrics: dict[str, float] = {}
    for one in outcome.figures:
        place = f"{one.method}/seed {one.seed} {one.captions}"
        metrics[f"auc/{place}"] = one.auc
        metrics[f"nonmember_fpr/{place}"] = one.strangers_accused.value
        metrics[f"found/{place}"] = one.members_found.value
    with JobRun.open(configure(open_home(settings), settings.runs_uri), labels) as run:
        run.log_params({"pictures": request.pictures, **asdict(request.sizes)})
        run.log_metrics(metrics)
        run.log_text("benchmark.html", page)


def _replace(path: Path, content: str) -> None:
    mark = hashlib.sha256(content.encode()).hexdigest()[:8]
    beside = path.with_name(f".{path.name}.{mark}")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)

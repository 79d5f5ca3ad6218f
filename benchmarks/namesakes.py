"""Namesakes of trained people: how often they are accused, beside the trained and strangers.

    python benchmarks/namesakes.py --seeds 21 --testbeds FOLDER

Never trained people get the whole name of a member and another face. The text is the same, so no
text-only method can tell them apart; the question is what pictures add. Namesakes move nothing in
training, so the ordinary testbed of a seed serves. All at p <= 5 % among 2,000 decoys.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRANGERS = 300
OFTEN = 5  # captions from which the second figures are stated
POINT = 0.05


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[21])
    parser.add_argument("--captions", nargs="+", default=["short"], choices=("short", "described"))
    parser.add_argument("--size", default="full", choices=("full", "demo", "test"))
    parser.add_argument("--namesakes", type=int, default=60)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--testbeds", type=Path, help="where testbeds are kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tuni-namesakes-") as scratch:
        for seed in asked.seeds:
            for captions in asked.captions:
                _show(asked, seed, captions, asked.testbeds or Path(scratch))


def _show(asked: Any, seed: int, captions: Any, testbeds: Path) -> None:
    from flows.machine.console import ConsoleProgress
    from tuni.bench.peers import Bench, BenchSizes, People
    from tuni.bench.peers.text_only import ours, picture_verdicts
    from tuni.bench.testbed.build import make_testbed
    from tuni.bench.testbed.settings import TestbedSettings
    from tuni.bench.testbed.unseen import people_of, unseen_pictures
    from tuni.model.load import load_target
    from tuni.statistics.intervals import share

    plain = replace(TestbedSettings.of_size(asked.size, seed), captions=captions)
    settings = replace(plain, namesakes=asked.namesakes)
    progress = ConsoleProgress()
    bed = make_testbed(plain, testbeds, progress)
    people = people_of(settings)
    rows = {"namesakes": [n for n, one in enumerate(people) if one.group == "namesake"]}
    place = {one.text: n for n, one in enumerate(people) if one.group == "member"}
    rows["the members"] = [place[people[n].text] for n in rows["namesakes"]]
    rows["strangers"] = [n for n, one in enumerate(people) if one.group == "stranger"][:STRANGERS]
    everybody = [n for some in rows.values() for n in some]
    bench = Bench(
        load_target(bed.checkpoint),
        People(
            tuple(people[n].text for n in everybody),
            unseen_pictures(settings, everybody, asked.pictures),
        ),
        People((), np.zeros((0, asked.pictures, 1, 1, 3), np.uint8)),
        sizes=BenchSizes(),
        seed=seed,
        progress=progress,
    )
    verdicts = picture_verdicts(bench)
    names = len(bench.sets["decoy_calibration"]) + 1
    accused = {
        "by the text": ours(bench).accused,
        f"with {asked.pictures} pictures": np.array([one.p <= POINT for one in verdicts]),
        "by name_rank": np.array([one.name_rank <= POINT * names for one in verdicts]),
    }
    known = {people[n].text: people[n].captions for n in rows["the members"]}
    often = np.array([known.get(text, 0) >= OFTEN for text in bench.subjects.texts])
    sys.stdout.write(f"seed {seed}, {captions} captions, accused at {POINT:.0%} (95 % interval)\n")
    start = 0
    for name, some in rows.items():
        inside = np.zeros(len(everybody), dtype=bool)
        inside[start : start + len(some)] = True
        start += len(some)
        parts: dict[str, NDArray[np.bool_]] = {name: inside}
        if name != "strangers":
            parts[f"  of {OFTEN} captions and more"] = inside & often
        for title, marks in parts.items():
            told = "  ".join(
                f"{how} {rate.value:.2f} ({rate.low:.2f}-{rate.high:.2f})"
                for how, rate in ((how, share(found[marks])) for how, found in accused.items())
            )
            sys.stdout.write(f"  {title} ({int(marks.sum())}): {told}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

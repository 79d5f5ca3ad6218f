"""A testbed's people with their scores, so that thousands of redraws cost no more than one.

The detector is H unless another is given, calibrated as by `tuni run` on the testbed's own names;
every person of truth.csv is on its list, so that nobody is a decoy. Scores are kept by text in the
folder that is named; all texts are made up.
"""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flows.machine.environment import prepare
from flows.machine.settings import Settings

if TYPE_CHECKING:
    from tuni.detectors.spec import DetectorSpec

Floats = NDArray[np.float64]


class Lab:
    """A testbed, a calibrated detector, and scores of whatever is asked.

    Args:
        bed: Folder of the testbed.
        folder: Where home and scores are kept between calls.
        detector: What is calibrated; None is H.
        nulls: Sizes of its null sets other than the request's.
        neighbours: Of each text and each way, where they are fewer than the request's.
    """

    def __init__(
        self,
        bed: Path,
        folder: Path,
        detector: "DetectorSpec | None" = None,
        nulls: Mapping[str, int] = MappingProxyType({}),
        neighbours: int | None = None,
    ) -> None:
        self._folder = folder / bed.name[:12]
        home = self._folder / "home"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["TUNI_HOME"] = str(home)
        prepare(Settings(home=home))
        with (bed / "truth.csv").open(encoding="utf-8", newline="") as lines:
            people = list(csv.DictReader(lines))
        self.texts = [one["text"] for one in people]
        self.captions = np.array([int(one["captions"]) for one in people])
        self.group = np.array([one["group"] for one in people])
        self.culture = np.array([one["culture"] for one in people])
        self.bundle, self.target, self.fitted = calibrated(
            bed,
            self._folder,
            self.listed,
            detector or _default(),
            nulls=nulls,
            neighbours=neighbours,
        )
        self._kept: dict[str, float] = {}
        self._file = self._folder / f"scores-{str(self.bundle.settings['job'])[:12]}.json"
        if self._file.exists():
            self._kept = json.loads(self._file.read_text(encoding="utf-8"))

    @cached_property
    def score(self) -> Floats:
        """Scores of everybody."""
        return self.scores(self.texts)

    @property
    def stranger(self) -> NDArray[np.bool_]:
        """Genuine pairs that were never trained."""
        return np.asarray(self.group == "stranger")

    @property
    def member(self) -> NDArray[np.bool_]:
        """Trained people whom an auditor may list."""
        return np.asarray(self.group == "member")

    def pairs(self, cultures: Iterable[str] | None = None) -> list[str]:
        """Every pair of a culture that is nobody of truth.csv and was not fitted on.

        What recombination draws from where its list is long.
        """
        from tuni.texts.names import parse_name

        known = set(self.texts)
        found = []
        for culture in sorted(set(self.culture) if cultures is None else set(cultures)):
            names = [parse_name(self.texts[row]) for row in np.flatnonzero(self.culture == culture)]
            firsts, lasts = ({getattr(name, part) for name in names} for part in ("first", "last"))
            found += [f"{first} {last}" for first in sorted(firsts) for last in sorted(lasts)]
        return [text for text in found if text not in known and text not in self.fitted]

    def scores(self, texts: Sequence[str]) -> Floats:
        """Quantised scores of texts of two parts and more; new ones are computed and kept."""
        from tuni.judging.judge import Judge

        new = sorted({text for text in texts if text not in self._kept})
        if new:
            judge = Judge(self.bundle, self.target, progress=progress())
            self._kept |= dict(zip(new, judge.scores(new, paired=True).tolist(), strict=True))
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(self._kept), encoding="utf-8")
            part.replace(self._file)
        return np.array([self._kept[text] for text in texts])

    @property
    def listed(self) -> list[str]:
        """Everybody but the trained people whom no auditor lists."""
        return [t for t, group in zip(self.texts, self.group, strict=True) if group != "background"]


def _default() -> "DetectorSpec":
    from tuni.detectors.defaults import DEFAULT_H

    return DEFAULT_H


def calibrated(
    bed: Path,
    folder: Path,
    listed: Sequence[str],
    detector: "DetectorSpec",
    subjects: Mapping[str, Any] = MappingProxyType({}),
    nulls: Mapping[str, int] = MappingProxyType({}),
    neighbours: int | None = None,
) -> Any:
    """A detector, calibrated on decoys of a list, its checkpoint, and the decoys of its fit.

    Args:
        bed: Folder of the testbed.
        folder: Where the list is written.
        listed: The list.
        detector: What is calibrated.
        subjects: Further keys of the request's table: kind and region.
        nulls: Sizes other than the request's.
        neighbours: Of each text and each way, where they are fewer than the request's.
    """
    from flows.job.calibration import make_bundle
    from flows.job.job import Job
    from flows.machine.settings import read_request

    everybody = folder / "everybody.csv"
    with everybody.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in listed)])
    asked = read_request(bed / "request.toml")
    table = {"labelled": None, "list_": everybody, "kinds": (), **subjects}
    request = asked.model_copy(
        update={
            "subjects": asked.subjects.model_copy(update=table),
            "search": asked.search.model_copy(update={"objective": "none", "trials": 1}),
            "nulls": asked.nulls.model_copy(update={"gibberish": 500, **nulls}),
            "features": asked.features.model_copy(update={"inversion": False, "geometry": False}),
        }
    )
    job = Job.open(request, Settings(), progress())
    if neighbours is not None:
        families = job.spec.families.items()
        specs = {name: replace(spec, neighbours=neighbours) for name, spec in families}
        fewer = replace(job.spec, families=specs)
        job = replace(job, spec=fewer, features=replace(job.features, spec=fewer))
    fitted = frozenset(job.sets.decoy_fit + job.sets.decoy_scale)
    return make_bundle(job, detector), job.target, fitted


def trained(
    folder: Path,
    size: Any,
    seed: int,
    vocabulary: str = "closed",
    family: Any = "clip",
    **regime: Any,
) -> Path:
    """The folder of a testbed, trained among those of a folder where it is not there yet."""
    from tuni.bench.testbed.build import make_testbed
    from tuni.bench.testbed.settings import TestbedSettings

    settings = TestbedSettings.of_size(size, seed).of_family(family)
    if vocabulary == "own":
        settings = settings.with_own_names()
    settings = replace(settings, **regime)
    return make_testbed(settings, folder / "testbeds", progress()).folder


def kept_or(path: Path, measure: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Arrays that a file keeps, or that are measured and kept there whole."""
    if not path.exists():
        part = path.with_suffix(".part.npz")
        np.savez(part, allow_pickle=False, **measure())
        part.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}


def say(line: str) -> None:
    """Print a line at once, also into a file."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def progress() -> Any:
    """What draws stages on a terminal."""
    from flows.machine.console import ConsoleProgress

    return ConsoleProgress()

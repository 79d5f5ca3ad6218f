"""How much work features are, counted without doing it, so that a few texts tell the time of many.

The one law: the units of a family are proportional to its time on one machine: positions that go
through the text tower, padding of passes included, or images that go through the image tower.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from tuni.features.extract import FeatureCache, extract_family
from tuni.features.family import Passes
from tuni.features.prompts import prompt_passes
from tuni.features.work import Columns, FamilyWork

MOST_COUNTED = 20_000  # texts that are tokenised to count; more are counted by a sample
_FIRST_NAMES = 4  # of the warm-up, which goes on with four times as many until it took long enough
_ENOUGH_S, _LONG_S = 1.0, 3.0  # of processor time: a busy machine must not end it early
_SIZES = 3  # sizes that tell a pass's own time from that of what goes through it


@dataclass(frozen=True, slots=True)
class Work:
    """What goes through a tower.

    Attributes:
        units: Positions or images, as the module's law says.
        passes: Passes that they go in.
    """

    units: float
    passes: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What a family takes on this machine.

    Attributes:
        unit_s: Seconds per unit.
        pass_s: Seconds per pass beside its units; of a small tower they are the larger part.
        keep_s: Seconds that a cache takes to keep a text's columns; 0 without one.
    """

    unit_s: float
    pass_s: float
    keep_s: float

    def seconds(self, work: Work) -> float:
        """How long some work takes, keeping left out."""
        return self.unit_s * work.units + self.pass_s * work.passes


def work_of(work: FamilyWork, texts: Sequence[str]) -> Work:
    """Work of one family on distinct texts that are extracted together.

    Args:
        work: The family, and what tokenises.
        texts: All texts that go through the model, neighbours included.
    """
    if filled := _passes(work):
        passes = -(-len(texts) * filled.each // filled.size)
        return Work(passes * filled.size, passes)
    stride = -(-len(texts) // MOST_COUNTED) or 1
    some = texts[::stride]
    positions = [
        len(one.ids) * (one.ids.shape[1] - one.start)
        for prompt in work.prompts
        for one in prompt_passes(work.target, some, prompt, work.spec.batch)
    ]
    times = len(texts) / max(len(some), 1)
    return Work(times * sum(positions), times * len(positions))


def warm_up(work: FamilyWork, names: Sequence[str], cache: FeatureCache | None = None) -> Speed:
    """Measure a family on a few names.

    Args:
        work: How the family is extracted.
        names: At least one, of two parts where neighbours are; the first few are taken.
        cache: Keeps what comes out, and is measured as well.
    """
    filled = _passes(work)
    count = -(-filled.size // filled.each) if filled else _FIRST_NAMES  # whole passes
    extract_family(work, names[:1])  # the first call ever pays for lists of names and kernels
    measured: list[tuple[Work, float]] = []
    while True:
        some, kept = names[:count], _Timed(cache)
        started, used = time.perf_counter(), time.process_time()
        extract_family(work, some, kept)
        spent, used = time.perf_counter() - started, time.process_time() - used
        measured.append((work_of(work, work.all_needed(some)), spent - kept.spent))
        enough = used >= (_ENOUGH_S if len(measured) >= _SIZES else _LONG_S)
        if enough or count >= len(names):
            return Speed(*_fitted(measured), kept.spent / len(set(some)))
        count *= 4


def _passes(work: FamilyWork) -> Passes | None:
    passes = work.family.passes
    return None if passes is None else passes(work.target, work.settings, work.spec.batch)


def _fitted(measured: Sequence[tuple[Work, float]]) -> tuple[float, float]:
    """Seconds per unit and per pass, neither negative, by least squares of relative errors."""
    if len(measured) < _SIZES:
        work, spent = measured[-1]
        return spent / work.units, 0.0
    shares = np.array([[work.units / spent, work.passes / spent] for work, spent in measured])
    unit_s, pass_s = nnls(shares, np.ones(len(shares)))[0]
    return float(unit_s), float(pass_s)


class _Timed:
    """A cache that knows nothing yet, and how long the one behind it took to keep things."""

    def __init__(self, behind: FeatureCache | None) -> None:
        self._behind = behind
        self.spent = 0.0

    def get(self, family_key: str, texts: Sequence[str]) -> Mapping[str, Columns]:
        return {}

    def put(
        self, family_key: str, texts: Sequence[str], columns: Mapping[str, NDArray[np.float32]]
    ) -> None:
        started = time.perf_counter()
        if self._behind is not None:
            self._behind.put(family_key, texts, columns)
        self.spent += time.perf_counter() - started

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

from tuni.features.extract import FeatureCache, extract
from tuni.features.family import Passes
from tuni.features.prompts import prompt_passes
from tuni.features.registry import family_named
from tuni.features.spec import FeatureSpec
from tuni.features.work import Columns, FamilyWork
from tuni.model.target import Target
from tuni.pictures.bank import Bank
from tuni.progress import SILENT

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


def work_of(target: Target, spec: FeatureSpec, family: str, texts: Sequence[str]) -> Work:
    """Work of one family on distinct texts that are extracted together, neighbours included.

    Args:
        target: Tokenises.
        spec: Holds the family.
        family: What is extracted.
        texts: All texts that go through the model.
    """
    if filled := _passes(target, spec, family):
        passes = -(-len(texts) * filled.each // filled.size)
        return Work(passes * filled.size, passes)
    stride = -(-len(texts) // MOST_COUNTED) or 1
    some = texts[::stride]
    work = FamilyWork(target, spec, family, None, SILENT, paired=False)
    positions = [
        len(one.ids) * (one.ids.shape[1] - one.start)
        for prompt in work.prompts
        for one in prompt_passes(target, some, prompt, spec.batch)
    ]
    times = len(texts) / max(len(some), 1)
    return Work(times * sum(positions), times * len(positions))


def warm_up(
    target: Target,
    spec: FeatureSpec,
    family: str,
    names: Sequence[str],
    bank: Bank | None,
    *,
    paired: bool,
    cache: FeatureCache | None = None,
) -> Speed:
    """Measure a family on a few names.

    Args:
        target: The checkpoint.
        spec: Holds the family.
        family: What is extracted.
        names: At least one, of two parts where ``paired``; the first few are taken.
        bank: The bank that the spec names.
        paired: Whether neighbours are extracted too.
        cache: Keeps what comes out, and is measured as well.
    """
    work = FamilyWork(target, spec, family, bank, SILENT, paired)
    filled = _passes(target, spec, family)
    count = -(-filled.size // filled.each) if filled else _FIRST_NAMES  # whole passes
    # The first call ever pays for lists of names and kernels.
    extract(target, names[:1], spec, families=(family,), neighbours=paired, bank=bank)
    measured: list[tuple[Work, float]] = []
    while True:
        some, kept = names[:count], _Timed(cache)
        started, used = time.perf_counter(), time.process_time()
        extract(target, some, spec, families=(family,), neighbours=paired, bank=bank, cache=kept)
        spent, used = time.perf_counter() - started, time.process_time() - used
        needed = sorted({one for name in some for one in work.needed(name)})
        measured.append((work_of(target, spec, family, needed), spent - kept.spent))
        enough = used >= (_ENOUGH_S if len(measured) >= _SIZES else _LONG_S)
        if enough or count >= len(names):
            return Speed(*_fitted(measured), kept.spent / len(set(some)))
        count *= 4


def _passes(target: Target, spec: FeatureSpec, family: str) -> Passes | None:
    passes = family_named(family).passes
    return None if passes is None else passes(target, spec.families[family], spec.batch)


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

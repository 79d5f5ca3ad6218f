"""How much work features are, counted without doing it, so that a few texts tell the time of many.

The one law: the units of a family are proportional to its time on one machine: positions that go
through the text tower, padding of passes included, or images that go through the image tower.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.bank import Bank
from tuni.family_work import Columns, FamilyWork
from tuni.features import FeatureCache, extract
from tuni.inversion import images_per_pass
from tuni.progress import SILENT
from tuni.prompts import prompt_passes
from tuni.spec import Family, FeatureSpec
from tuni.target import Target

MOST_COUNTED = 20_000  # texts that are tokenised to count; more are counted by a sample
_FIRST_NAMES = 4  # of the warm-up, which goes on with four times as many until it took long enough
_ENOUGH_S = 1.0


@dataclass(frozen=True, slots=True)
class Speed:
    """What a family takes on this machine.

    Attributes:
        unit_s: Seconds per unit of `work_units`.
        keep_s: Seconds that a cache takes to keep a text's columns; 0 without one.
    """

    unit_s: float
    keep_s: float


def work_units(target: Target, spec: FeatureSpec, family: Family, texts: Sequence[str]) -> float:
    """Units of one family on distinct texts that are extracted together, neighbours included.

    Args:
        target: Tokenises.
        spec: Holds the family.
        family: What is extracted.
        texts: All texts that go through the model.
    """
    if family == "inversion":
        restarts = spec.inversion.restarts if spec.inversion else 0
        size = images_per_pass(target, spec.batch)
        return float(-(-len(texts) * restarts // size) * size)
    stride = -(-len(texts) // MOST_COUNTED) or 1
    some = texts[::stride]
    work = FamilyWork(target, spec, family, None, SILENT, paired=False)
    positions = sum(
        len(one.ids) * (one.ids.shape[1] - one.start)
        for prompt in work.prompts
        for one in prompt_passes(target, some, prompt, spec.batch)
    )
    return float(positions) * len(texts) / max(len(some), 1)


def warm_up(
    target: Target,
    spec: FeatureSpec,
    family: Family,
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
        bank: The bank that the spec's geometry names.
        paired: Whether neighbours are extracted too.
        cache: Keeps what comes out, and is measured as well.
    """
    work = FamilyWork(target, spec, family, bank, SILENT, paired)
    count = _FIRST_NAMES
    if family == "inversion" and spec.inversion:  # whole passes
        count = -(-images_per_pass(target, spec.batch) // spec.inversion.restarts)
    # The first call ever pays for lists of names and kernels.
    extract(target, names[:1], spec, families=(family,), neighbours=paired, bank=bank)
    while True:
        some, kept = names[:count], _Timed(cache)
        started = time.perf_counter()
        extract(target, some, spec, families=(family,), neighbours=paired, bank=bank, cache=kept)
        spent = time.perf_counter() - started
        # Short calls are small passes, which a job hardly has, and noise.
        if spent >= _ENOUGH_S or count >= len(names):
            needed = sorted({one for name in some for one in work.needed(name)})
            units = work_units(target, spec, family, needed)
            return Speed((spent - kept.spent) / units, kept.spent / len(set(some)))
        count *= 4


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

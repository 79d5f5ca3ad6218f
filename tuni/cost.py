"""How much work features are, counted without doing it, so that a few texts tell the time of many.

The one law: the units of a family are proportional to its time on one machine: positions that go
through the text tower, padding of passes included, or images that go through the image tower.
"""

import time
from collections.abc import Sequence

from tuni.bank import Bank
from tuni.family_work import NEIGHBOURED, FamilyWork
from tuni.features import extract
from tuni.inversion import images_per_pass
from tuni.progress import SILENT
from tuni.prompts import prompt_passes
from tuni.spec import Family, FeatureSpec
from tuni.target import Target

MOST_COUNTED = 20_000  # texts that are tokenised to count; more are counted by a sample
_FIRST_NAMES = 4  # of the warm-up, which goes on with four times as many until it took long enough
_ENOUGH_S = 1.0


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


def seconds_per_unit(
    target: Target, spec: FeatureSpec, family: Family, names: Sequence[str], bank: Bank | None
) -> float:
    """Measure a family on a few names of two parts, neighbours included where it has them."""
    paired = family in NEIGHBOURED
    work = FamilyWork(target, spec, family, bank, SILENT, paired)
    count = _FIRST_NAMES
    if family == "inversion" and spec.inversion:  # whole passes
        count = -(-images_per_pass(target, spec.batch) // spec.inversion.restarts)
    # The first call ever pays for lists of names and kernels.
    extract(target, names[:1], spec, families=(family,), neighbours=paired, bank=bank)
    while True:
        some = names[:count]
        started = time.perf_counter()
        extract(target, some, spec, families=(family,), neighbours=paired, bank=bank)
        spent = time.perf_counter() - started
        # Short calls are small passes, which a job hardly has, and noise.
        if spent >= _ENOUGH_S or count >= len(names):
            needed = sorted({one for name in some for one in work.needed(name)})
            return spent / work_units(target, spec, family, needed)
        count *= 4

"""What `tuni score` encodes for H2 and for H, which reads neighbours besides: texts and time.

What is timed is the extraction for a list and its decoys, beside which scoring is little.
"""

from collections.abc import Iterator
from functools import partial

from models import default_spec, names, target_of
from timing import Row, figure, measured, ratio

from tuni.features.extract import extract
from tuni.features.work import FamilyWork
from tuni.judging.null import JudgeOptions
from tuni.model.target import Target
from tuni.progress import SILENT
from tuni.texts.kind import text_kind
from tuni.texts.text import canonical

FAMILIES = ("hidden", "jacobian")
TIMED, COUNTED = 1_000, (1, 1_000, 20_000)
FEW = 32  # texts behind the time of one person by a tower of true size


def measure(smoke: bool) -> Iterator[Row]:
    """Texts a list, the ratio of a list, and one person by a ViT-B/32."""
    target = target_of("testbed", text_only=True)
    for count in (1, 20) if smoke else COUNTED:
        yield _texts(target, _with_decoys(names(count), 40 if smoke else None), count)
    listed = _with_decoys(names(20 if smoke else TIMED), 40 if smoke else None)
    spec = default_spec()
    sides = {
        name: partial(extract, target, listed, spec, families=FAMILIES, neighbours=neighbours)
        for name, neighbours in (("H", True), ("H2", False))
    }
    yield ratio(
        "detectors", f"testbed: {20 if smoke else TIMED:,} names and their decoys, H beside H2",
        sides, 1, warm_up=False,
    )  # fmt: skip
    if not smoke:
        yield _one_person("ViT-B-32")


def _with_decoys(listed: list[str], decoys: int | None) -> list[str]:
    count = decoys or JudgeOptions().decoys_for(len(listed))
    pool = text_kind("name").pool(listed, count)
    return [*listed, *pool.recombine(count, 0, frozenset(map(canonical, listed)))]


def _texts(target: Target, listed: list[str], count: int) -> Row:
    """Texts that H encodes over those that H2 does, both families added up."""
    own = len(set(listed)) * len(FAMILIES)
    works = (FamilyWork(target, default_spec(), f, None, SILENT, others=True) for f in FAMILIES)
    around = sum(len(work.all_needed(listed)) for work in works)
    return figure(
        "detectors", f"list of {count:,}: texts of H over those of H2", [(own + around) / own], "x",
        more={"H2 texts": own, "H texts": own + around},
    )  # fmt: skip


def _one_person(tower: str) -> Row:
    """One person and 2,000 decoys by H2, from a few of these."""
    target, listed = target_of(tower, text_only=True), _with_decoys(names(1), None)
    call = partial(extract, target, listed[:FEW], default_spec(), families=FAMILIES)
    spent, used = measured(partial(call, neighbours=False))
    times = len(listed) / FEW
    return figure(
        "detectors", f"{tower}: one person by H2, from {FEW} texts", [spent * times], "s",
        more={"processor s": used * times, "texts": len(listed)},
    )  # fmt: skip

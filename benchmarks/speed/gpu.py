"""What a GPU does: features beside the CPU's, verdicts, rates, a first audit, peak memory.

Weights are random and built on the spot. Each piece begins only while the clock allows it, and what
was measured is kept, so that a device that is lent for ten minutes is enough. With --smoke the same
code runs on the CPU in tiny sizes, to its end. No figure of it has been taken on a GPU yet.
"""

import csv
import gc
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from first_audit import told_on
from homes import scratch_home
from models import default_spec, model_of, names, target_of
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
from scipy.stats import spearmanr
from timing import Row, figure, in_turn, seconds

from tuni.detectors.bundle import Scorer
from tuni.detectors.defaults import DEFAULT_H2
from tuni.detectors.fit import Nulls, fit_detector
from tuni.features.extract import extract_family
from tuni.features.extractors import inversion
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.inversion import InversionSpec, images_per_pass
from tuni.features.family import LESS_PARTS
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.features.work import FamilyWork
from tuni.judging.part_effects import Correction, PartNumbers, fit_left_out
from tuni.model.target import Target
from tuni.progress import SILENT
from tuni.statistics.p_values import conformal_p
from tuni.texts.kind import text_kind
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import canonical

CLOCK_S = 480.0  # of the ten minutes that a device is lent for; the rest is its start
TOWERS = ("ViT-B-32", "ViT-L-14", "RN50x4")
PEOPLE, DECOYS = 40, 200  # compared with the CPU, which is the slow side
RATED = 1_000  # names behind a rate
KIND = text_kind("name")

Columns = dict[str, NDArray[np.float32]]


def measure(smoke: bool) -> Iterator[Row]:
    """All pieces, the most wanted first, until the clock ends them."""
    started = time.perf_counter()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    towers = ("testbed",) if smoke else TOWERS
    pieces: list[tuple[str, Callable[[], Iterator[Row]]]] = []
    pieces += [(f"{t}: compared", partial(_compared, t, device, smoke)) for t in towers]
    pieces += [(f"{t}: rates", partial(_rates, t, device, smoke)) for t in towers[:2]]
    pieces += [(f"{t}: inversion", partial(_inversion, t, device, smoke)) for t in towers[:2]]
    pieces += [("verdicts", partial(_verdicts, device))]
    pieces += [(f"{t}: first audit", partial(_first_audit, t, device, smoke)) for t in towers[:2]]
    for name, piece in pieces:
        spent = time.perf_counter() - started
        if spent > CLOCK_S and not smoke:
            yield figure("gpu", f"{name}: left out, the clock ended", [spent], "s")
            continue
        yield from piece()
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _spec(*, inverted: bool = True) -> FeatureSpec:
    families = dict(default_spec().families) | by_family(GeometrySpec())
    if inverted:
        families |= by_family(InversionSpec(restarts=1, steps=5))
    return FeatureSpec(parts=all_reference_parts(), families=families)


def _extracted(target: Target, texts: list[str], spec: FeatureSpec, family: str) -> Columns:
    return extract_family(FamilyWork(target, spec, family, None, SILENT, others=False), texts)


def _whole(target: Target, texts: list[str], spec: FeatureSpec, family: str, device: str) -> None:
    _extracted(target, texts, spec, family)
    _synced(device)


def _compared(tower: str, device: str, smoke: bool) -> Iterator[Row]:
    """Every family in both precisions beside the CPU's float32, and the default's ranks."""
    people = names(8 if smoke else PEOPLE)
    pool = KIND.pool(people, 40 if smoke else DECOYS)
    decoys = list(pool.recombine(40 if smoke else DECOYS, 0, frozenset(map(canonical, people))))
    texts, few, spec = [*people, *decoys], people[:4], _spec()
    sides: dict[str, Columns] = {}
    for side, precision, place in (
        ("CPU", "fp32", "cpu"),
        ("fp32", "fp32", device),
        ("bf16", "bf16", device),
    ):
        target = target_of(tower, precision=precision, device=place)
        sides[side] = {}
        for family in spec.families:
            wanted = texts if family in ("hidden", "jacobian") else few
            sides[side] |= _extracted(target, wanted, spec, family)
        del target
    for side in ("fp32", "bf16"):
        for family in spec.families:
            own = [name for name in sides["CPU"] if name.startswith(family)]
            apart = max(_apart(sides["CPU"][name], sides[side][name]) for name in own)
            yield figure("gpu", f"{tower}, {side}: {family} apart from the CPU's", [apart], "")
        base, ours = (_default(sides[name], people, decoys) for name in ("CPU", side))
        ranks = float(spearmanr(np.concatenate(base), np.concatenate(ours)).statistic)
        (p, few_p), (q, _) = ((conformal_p(own, others), others) for own, others in (base, ours))
        near = np.abs(p - 0.05) <= 2 / (len(few_p) + 1)
        changed = float((((p <= 0.05) != (q <= 0.05)) & ~near).mean())
        yield figure(
            "gpu", f"{tower}, {side}: ranks of the default beside the CPU's", [ranks], "",
            wanted=">= .9999" if side == "fp32" else ">= .99",
            more={"verdicts changed": changed, "names": len(p)},
        )  # fmt: skip


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Largest distance of two rows over the mean length of a row."""
    scale = float(np.linalg.norm(one, axis=1).mean()) or 1.0
    return float(np.linalg.norm(one - other, axis=1).max()) / scale


def _default(
    columns: Columns, people: list[str], decoys: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of people and of decoys by H2, fitted on the decoys."""
    named = ("hidden.0", "hidden.norm", "jacobian_relative")
    own, others = (
        {name: columns[name][rows] for name in named}
        for rows in (slice(len(people)), slice(len(people), None))
    )
    rows = PartNumbers.of(KIND, decoys).rows(decoys)
    _, left = fit_left_out(others["hidden.0"].astype(np.float64), rows)
    table: dict[str, NDArray[Any]] = {**others, f"hidden.0{LESS_PARTS}": left}
    model = fit_detector(DEFAULT_H2, Nulls({}, {}, table, table), 0)
    scorer = Scorer(model, np.arange(2.0), np.arange(2.0), 1e-6, less_parts=True)
    correction, scores = Correction.fit(scorer, KIND, decoys, others)
    return correction.scores(scorer, people, own), scores


def _rates(tower: str, device: str, smoke: bool) -> Iterator[Row]:
    """Seconds per 1,000 names of each family, and of open_clip's own encoder."""
    count = 20 if smoke else RATED
    listed, spec = names(count), _spec(inverted=False)
    target = target_of(tower, device=device)
    for family in spec.families:
        _extracted(target, listed[:16], spec, family)  # kernels are loaded
        _reset(device)
        spent = seconds(partial(_whole, target, listed, spec, family, device))
        yield figure(
            "gpu", f"{tower}: {family}, per 1,000 names", [1_000 * spent / count], "s",
            more={"peak MB": _peak(device)},
        )  # fmt: skip
    model, _ = model_of(tower)
    model = model.to(device)
    tokenizer = SimpleTokenizer(context_length=model.context_length)

    def stock() -> None:
        with torch.no_grad():
            for start in range(0, count, 256):
                model.encode_text(tokenizer(listed[start : start + 256]).to(device))
        _synced(device)

    stock()
    each = [1_000 * seconds(stock) / count for _ in range(3)]
    yield figure("gpu", f"{tower}: open_clip's encode_text, per 1,000 names", each, "s")
    model.to("cpu")


def _inversion(tower: str, device: str, smoke: bool) -> Iterator[Row]:
    """Steps of the inversion in bf16, over matrix products of the same shapes in the same run."""
    target = target_of(tower, precision="bf16", device=device)
    spec = InversionSpec(restarts=1, steps=2 if smoke else 10, curve=(1.0,))
    count = 2 if smoke else images_per_pass(target, 256)
    listed = names(count)

    def climb() -> None:
        inversion.columns(target, listed, spec, 256, lambda _n: None)
        _synced(device)

    tower_settings = model_of(tower)[1]["vision_cfg"]
    width, layers = tower_settings["width"], tower_settings["layers"]
    side = tower_settings["image_size"] // tower_settings["patch_size"]
    positions = side**2 + 1
    one = torch.randn(count * positions, width, device=device, dtype=torch.bfloat16)
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    inputs = [(one if a == width else one.repeat(1, 4), torch.randn(a, b, device=device).bfloat16())
              for a, b in shapes]  # fmt: skip

    def products() -> None:
        for _ in range(2 * layers * spec.steps):  # forward, and the gradient of the input
            for left, right in inputs:
                left @ right
        _synced(device)

    kept = in_turn({"climb": climb, "products": products}, 1 if smoke else 3)
    shares = [100 * b[0] / a[0] for a, b in zip(kept["climb"], kept["products"], strict=True)]
    yield figure(
        "gpu", f"{tower}, bf16: inversion's share of the rate of its matrix products", shares, "%",
        wanted=">= 45", more={"images/s": count * spec.steps / min(kept["climb"])[0]},
    )  # fmt: skip


def _verdicts(device: str) -> Iterator[Row]:
    """`tuni run` and `tuni score` on the smallest testbed, on the device and on the CPU."""
    with scratch_home() as (scratch, settings):
        from flows.benchmark.demo import demo_request
        from flows.run import run_request
        from flows.scoring.score import ScoreRequest, score_file
        from tuni.bench.testbed.build import make_testbed
        from tuni.bench.testbed.settings import TestbedSettings

        bed = make_testbed(TestbedSettings.of_size("test", 1), scratch / "testbeds")
        asked = demo_request(bed)
        update = {
            "features": asked.features.model_copy(update={"inversion": False}),
            "search": asked.search.model_copy(update={"trials": 1}),
        }
        p: dict[str, NDArray[np.float64]] = {}
        for place in ("cpu", device):
            compute = asked.compute.model_copy(update={"device": place})
            os.environ["TUNI_HOME"] = str(home := settings.home.with_name(f"home-{place}"))
            home.mkdir(mode=0o700, exist_ok=True)
            there = settings.model_copy(update={"home": home})
            run_request(asked.model_copy(update={**update, "compute": compute}))
            out = scratch / f"{place}.csv"
            request = ScoreRequest(asked.checkpoint.name, bed.watch, out, device=place)
            score_file(request, there)
            with out.open(encoding="utf-8", newline="") as lines:
                p[place] = np.array([float(row["p_decoy"]) for row in csv.DictReader(lines)])
        one, other = p["cpu"], p[device]
        near = np.abs(one - 0.05) <= 2 / 2001
        changed = (((one <= 0.05) != (other <= 0.05)) & ~near).sum()
        yield figure(
            "gpu", "smallest testbed: verdicts that differ from the CPU's", [float(changed)], "",
            wanted="0", more={"names": len(one)},
        )  # fmt: skip


def _first_audit(tower: str, device: str, smoke: bool) -> Iterator[Row]:
    """What a first audit is told to take."""
    told = told_on(tower, device, smoke=smoke)
    yield figure("gpu", f"{tower}: first audit, told", [told["seconds"] / 60], "min")


def _synced(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _reset(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else float("nan")

"""What the detectors find in other families of models, beside what each model has learnt.

    python benchmarks/families.py --families siglip bert --seeds 62 63 64 --out families.json

For each family and seed a small testbed is trained, or found among the testbeds of --folder, and
everybody is judged as one list by H2, the default, which reads no neighbours. H, T and the Jacobian
are told beside it, each by decoys of that list that it was not fitted on. What is done is kept in
--folder, so a stopped run goes on. --choice takes seed 61, on which training may be chosen, which
is never reported. --smoke does all of it on testbeds of seconds, to see that it runs.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lab import Lab, kept_or, trained
from parts import (
    LEAST_CAPTIONS,
    Arrays,
    Beds,
    Row,
    accused,
    auc,
    everybody,
    found,
    interval,
    refuse_used,
    row,
    show,
    validity,
)

CHOSEN_ON = 61
LEAST_AUC = 0.90
FAMILIES = ("clip", "siglip", "bert", "resnet")
OTHERS = ("H", "T", "Jacobian")
# Fewer decoys than a job draws, so that a testbed takes minutes.
NULLS = {"decoy_fit": 500, "decoy_search": 100, "decoy_calibration": 1000, "decoy_check": 50}
FIT, SCALE, RANKED = 300, 100, 400  # decoys of the list for each of `OTHERS`


def main() -> None:
    """Measure what is missing, then print the table of targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[62, 63, 64])
    parser.add_argument("--folder", type=Path, default=Path("families"))
    parser.add_argument("--out", type=Path, default=Path("families.json"))
    parser.add_argument("--choice", action="store_true", help=f"seed {CHOSEN_ON} alone")
    parser.add_argument("--smoke", action="store_true", help="testbeds of seconds")
    asked = parser.parse_args()
    refuse_used(parser, asked.seeds)
    if asked.choice or asked.smoke:
        asked.seeds = [CHOSEN_ON]
    if asked.smoke:  # the one whose checkpoint is read by hooks
        asked.families = ["bert"]
    families = {
        family: [_measured(asked, seed, family) for seed in asked.seeds]
        for family in asked.families
    }
    rows = [row for family, beds in families.items() for row in _targets(family, beds)]
    show([*rows, *validity(families)], asked.out)


def _measured(asked: Any, seed: int, family: Any) -> Arrays:
    """Scores and p-values of one testbed by all detectors, computed once."""
    size: Any = "test" if asked.smoke else "demo"

    def measure() -> Arrays:
        from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2, DEFAULT_T

        bed = trained(asked.folder, size, seed, family=family)
        lab = Lab(bed, asked.folder, DEFAULT_H2, NULLS, neighbours=1)
        judged = {f"H2.{key}": value for key, value in everybody(lab).items()}
        skill = json.loads((bed / "testbed.json").read_text(encoding="utf-8"))["retrieval"]
        judged["skill"] = np.array([skill["people"], skill["top_1"], skill["top_5"]])
        detectors = dict(zip(OTHERS, (DEFAULT_H, DEFAULT_T, DEFAULT_H.parts[1]), strict=True))
        return judged | _by_neighbours(lab, judged, detectors)

    return kept_or(asked.folder / f"{size}-{seed}-{family}.npz", measure)


def _by_neighbours(lab: Lab, judged: Arrays, detectors: dict[str, Any]) -> Arrays:
    """Scores of everybody on the list by other detectors, and p-values among its decoys."""
    from flows.machine.console import ConsoleProgress
    from tuni.detectors.fit import Nulls, fit_detector
    from tuni.detectors.score import score
    from tuni.features.extract import extract
    from tuni.features.families.hidden import HiddenSpec
    from tuni.features.families.jacobian import JacobianSpec
    from tuni.features.registry import by_family
    from tuni.features.spec import FeatureSpec
    from tuni.statistics.p_values import conformal_p
    from tuni.texts.kind import text_kind

    count = len(lab.listed)
    pairs = [
        f"{first} {last}"
        for first, last in zip(judged["H2.first"][count:], judged["H2.last"][count:], strict=True)
    ]
    drawn = np.random.default_rng(0).permutation(len(pairs))[: FIT + SCALE + RANKED]
    decoys = [pairs[row] for row in drawn]
    spec = FeatureSpec(
        text_kind("name").reference_parts(), families=by_family(HiddenSpec(), JacobianSpec())
    )
    table = extract(lab.target, [*lab.listed, *decoys], spec, progress=ConsoleProgress()).columns
    ends = np.cumsum([count, FIT, SCALE])
    listed, fit, scale, ranked = (
        {name: values[begin:end] for name, values in table.items()}
        for begin, end in zip((0, *ends), (*ends, None), strict=True)
    )
    scores: Arrays = {}
    for name, detector in detectors.items():
        model = fit_detector(detector, Nulls({}, {}, fit, scale), 0)
        scores[f"{name}.score"] = score(model, listed)
        scores[f"{name}.p"] = conformal_p(scores[f"{name}.score"], score(model, ranked))
        for key in ("group", "captions"):
            scores[f"{name}.{key}"] = judged[f"H2.{key}"][:count]
    return scores


def _targets(family: str, beds: Beds) -> Iterator[Row]:
    """Figures of one family, pooled over its testbeds, with what they have to reach."""
    people, top_1, top_5 = np.mean([bed["skill"] for bed in beds], axis=0)
    yield row(
        family,
        "unseen picture: right name first, in five",
        f"{top_1:.2f}, {top_5:.2f} of {people:.0f}",
    )
    for name in ("H2", *OTHERS):
        value = auc(beds, name)
        low, high = interval(beds, partial(auc, name=name), [name])
        needed = name == "H2"
        yield row(
            family,
            f"AUC of {name}, {LEAST_CAPTIONS} captions and more",
            f"{value:.3f} ({low:.3f} to {high:.3f})",
            f">= {LEAST_AUC:.2f}" if needed else "",
            bool(value >= LEAST_AUC) if needed else None,
        )
    counts = sorted({*beds[0]["H2.captions"][beds[0]["H2.group"] == "member"].tolist()})
    for name in ("H2", *OTHERS):
        shares = " / ".join(f"{found(beds, name, count):.2f}" for count in counts)
        captions = " / ".join(str(count) for count in counts)
        yield row(family, f"found at 5 % of strangers by {name}, {captions}", shares)
    for group in ("stranger", "hard"):
        rates = ", ".join(f"{name} {accused(beds, name, group, 0):.1%}" for name in ("H2", *OTHERS))
        yield row(family, f"{group}s with p <= 5 %", rates)


if __name__ == "__main__":
    main()

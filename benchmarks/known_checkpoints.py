"""Detectors on checkpoints whose training set is known, next to another implementation's figures.

Each folder holds an open_clip checkpoint, ``truth.csv`` (text, member) and ``decoys.csv`` (text):

    python benchmarks/known_checkpoints.py FOLDER...

The reference figures stand below, for the checkpoints closed10a and closed10b, which are no part of
this repository; for other folders that column stays empty. docs/results.md has the outcome.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.defaults import DEFAULT_H, DEFAULT_T
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.score import score
from tuni.detectors.spec import DetectorSpec
from tuni.errors import InputError
from tuni.features.extract import extract
from tuni.features.families.geometry import GeometrySpec
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.lists.labelled import read_labelled, read_subjects
from tuni.model.load import load_target
from tuni.statistics.roc import auc, tpr_at
from tuni.texts.reference_parts import all_reference_parts

ROWS: Mapping[str, DetectorSpec] = {
    "consistency, 8 prompts": DetectorSpec("feature", ("geometry.consistency_8",)),
    "consistency, 24 prompts": DetectorSpec("feature", ("geometry.consistency_24",)),
    "norm of h": DetectorSpec("feature", ("hidden.norm",)),
    "one-class SVM on h, decoys": DetectorSpec("ocsvm", ("hidden.0",)),
    "noise - 3/8 neighbours": DetectorSpec("feature", ("noise~0.375",)),
    "Jacobian absolute - 3/8 neighbours": DetectorSpec("feature", ("jacobian_absolute~0.375",)),
    "Jacobian relative - 3/8 neighbours": DetectorSpec("feature", ("jacobian_relative~0.375",)),
    "T": DEFAULT_T,
    "H": DEFAULT_H,
}
# AUC, and the share of members found at 5 % of non-members, of another implementation.
REFERENCE: Mapping[str, Mapping[str, str]] = {
    "closed10a": {
        "consistency, 8 prompts": ".67 / .15",
        "norm of h": ".81 / .26",
        "one-class SVM on h, decoys": ".85 / .45",
        "Jacobian relative - 3/8 neighbours": ".87-.89 / .38-.41",
        "T": ".97 / .79",
        "H": ".98 / .86",
    },
    "closed10b": {
        "consistency, 8 prompts": ".56 / .05",
        "norm of h": ".75 / .17",
        "one-class SVM on h, decoys": ".84 / .38",
        "Jacobian relative - 3/8 neighbours": ".80 / .27",
        "T": ".97 / .83",
        "H": ".97 / .84",
    },
}
SCALE_SHARE = 5  # one decoy in five is kept for means and deviations
SEED = 0


def main(folders: list[str]) -> int:
    """Print one table per folder; 2 where one cannot be used."""
    if not folders:
        print(__doc__, file=sys.stderr)  # noqa: T201  a script's output
        return 2
    try:
        for folder in folders:
            for line in table(Path(folder)):
                print(line, flush=True)  # noqa: T201
    except InputError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0


def table(folder: Path) -> Iterator[str]:
    """Lines of one folder's table."""
    target = load_target(folder)
    truth = read_labelled(folder / "truth.csv")
    decoys = read_subjects(folder / "decoys.csv").texts
    spec = FeatureSpec(
        all_reference_parts(),
        families=by_family(HiddenSpec(), NoiseSpec(), JacobianSpec(), GeometrySpec()),
    )
    texts = (*truth.texts, *decoys)
    columns: dict[str, NDArray[np.float32]] = {}
    seconds: dict[str, float] = {}
    for family in spec.families:
        begun = time.perf_counter()
        columns |= extract(target, texts, spec, families=(family,)).columns
        seconds[family] = time.perf_counter() - begun
    known = np.arange(len(truth.texts))
    others = np.arange(len(truth.texts), len(texts))
    scale = others % SCALE_SHARE == 0
    rows = {name: array[known] for name, array in columns.items()}
    fit, rest = (
        {name: array[others[some]] for name, array in columns.items()} for some in (~scale, scale)
    )
    nulls = Nulls(gibberish_fit={}, gibberish_scale={}, decoy_fit=fit, decoy_scale=rest)
    member = np.array(truth.members)
    yield f"{folder.name}: {member.sum()} members, {(~member).sum()} non-members"
    yield f"  {'AUC / found at 5 % of non-members':<36} {'here':>12}   reference"
    for name, detector in ROWS.items():
        found = score(fit_detector(detector, nulls, SEED), rows)
        power = tpr_at(found[member], found[~member], 0.05)
        here = f"{auc(found[member], found[~member]):.3f} / {power.value if power else 0:.2f}"
        yield f"  {name:<36} {here:>12}   {REFERENCE.get(folder.name, {}).get(name, '')}"
    spent = ", ".join(f"{family} {value:.1f} s" for family, value in seconds.items())
    yield f"  {len(set(texts))} texts: {spent}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

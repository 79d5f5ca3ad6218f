"""What other numbers of neighbours would do to the default detector H on a testbed.

    python benchmarks/neighbour_counts.py TESTBED

Every distinct text is encoded once; a number of neighbours then is a matter of averaging. AUC is
that of members against strangers of truth.csv; the difference to H's own number of neighbours is
paired, with a 95 % interval.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuni.detectors.defaults import DEFAULT_H
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.score import score
from tuni.features.extract import extract
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.family import OTHER_FIRSTS, OTHER_LASTS
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.model.load import load_target
from tuni.statistics.comparison import paired_auc_difference
from tuni.texts.decoys import PartPool
from tuni.texts.names import parse_name
from tuni.texts.neighbours import neighbours, parts_for
from tuni.texts.reference_parts import all_reference_parts
from tuni.texts.text import canonical

# Neighbours of hidden states and of the Jacobian, each this many of either kind.
COUNTS = ((8, 4), (8, 8), (6, 3), (4, 4), (4, 2), (2, 2), (1, 1))
MOST = 8
DECOYS = 1_500
SPEC = FeatureSpec(parts=all_reference_parts(), families=by_family(HiddenSpec(), JacobianSpec()))

Around = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]


def main() -> None:
    """Encode, then print a line for each number of neighbours."""
    bed = Path(sys.argv[1])
    with (bed / "truth.csv").open(encoding="utf-8", newline="") as lines:
        people = [row for row in csv.DictReader(lines) if row["group"] in ("member", "stranger")]
    texts = [row["text"] for row in people]
    member = np.array([row["group"] == "member" for row in people])
    forbidden = frozenset(canonical(text) for text in texts)
    decoys = list(PartPool.of(texts).enough_for(DECOYS).recombine(DECOYS, 0, forbidden))
    around = _around([*texts, *decoys])
    others = {one for kinds in around.values() for kind in kinds for one in kind}
    distinct = sorted({*around, *others})
    target = load_target(bed / "checkpoint")
    found = extract(target, distinct, SPEC, neighbours=False)
    place = {text: row for row, text in enumerate(distinct)}
    base: NDArray[np.float64] | None = None
    for counts in COUNTS:
        fit, scale, judged = (
            _columns(found.columns, place, around, some, counts)
            for some in (decoys[: DECOYS // 2], decoys[DECOYS // 2 :], texts)
        )
        scores = score(fit_detector(DEFAULT_H, Nulls({}, {}, fit, scale), 0), judged)
        base = scores if base is None else base
        apart = paired_auc_difference(scores, base, member, 0)
        sys.stdout.write(
            f"hidden {counts[0]}, jacobian {counts[1]}: "
            f"AUC {apart.first:.4f}, difference {apart.difference:+.4f} "
            f"({apart.low:+.4f} to {apart.high:+.4f})\n"
        )


def _around(texts: Sequence[str]) -> Around:
    parts = {entry.stratum: entry for entry in SPEC.parts}
    names = {text: parse_name(text) for text in texts}
    return {text: neighbours(name, parts_for(name, parts), MOST) for text, name in names.items()}


def _columns(
    found: Mapping[str, NDArray[np.float32]],
    place: dict[str, int],
    around: Around,
    texts: Sequence[str],
    counts: tuple[int, int],
) -> dict[str, NDArray[np.float32]]:
    table = {}
    for name, values in found.items():
        count = counts[name.startswith("jacobian")]
        table[name] = values[[place[text] for text in texts]]
        for kind, suffix in enumerate((OTHER_LASTS, OTHER_FIRSTS)):
            rows = np.array([[place[one] for one in around[text][kind][:count]] for text in texts])
            table[name + suffix] = values[rows].mean(axis=1)
    return table


if __name__ == "__main__":
    main()

"""How H2 was chosen: what other shrinkage, fewer decoys and a norm in the sum would give.

    tuni testbed --seed 31 --out bed31
    tuni testbed --seed 32 --captions described --out bed32
    tuni testbed --size demo --seed 1 --vocabulary own --out own1
    python benchmarks/part_choice.py bed31 bed32 own1

Of each testbed everybody and decoys are scored: all other pairs of its parts, or 2,900 where nobody
shares one. Thresholds for the share found are those of strangers, for the share accused of decoys.
These testbeds chose H2, so the figures flatter it; `benchmarks/parts.py` tells of fresh ones.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lab import Floats, say
from numpy.typing import NDArray

POINT = 0.05
OWN_DECOYS = 2_900
LEAST_CAPTIONS = 5


def main() -> None:
    """Extract each testbed's features once, then print a line for every variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("testbeds", type=Path, nargs="+")
    for bed in parser.parse_args().testbeds:
        people = People.of(bed)
        say(f"{bed}: {len(people.texts)} texts, {people.decoy.sum()} of them decoys")
        shares = _explained(people, people.plain)
        say(f"  variance of H that first and last names explain: {shares:.0%}")
        _line(people, "H", people.plain, people.decoy)
        for wide, narrow in ((10, 5), (2, 5), (5, 5), (10, 2), (10, 10), (2, 2)):
            scores = _h2(people, wide, narrow, people.decoy)
            _line(people, f"H2 shrunk by {wide} and {narrow}", scores, people.decoy)
        scores = _h2(people, 10, 5, people.decoy, norm=0.5)
        _line(people, "H2 + half of the norm", scores, people.decoy)
        _line(
            people,
            "H2, evened in scale",
            _evened(people, _h2(people, 10, 5, people.decoy)),
            people.decoy,
        )
        draw = np.random.default_rng(1)
        for share in (0.5, 0.25, 0.12):
            some = people.decoy & (draw.random(len(people.decoy)) < share)
            count = np.median(np.bincount(people.parts(some)[0][1][some]))
            _line(people, f"H2 of {count:.0f} decoys a part", _h2(people, 10, 5, some), some)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """A testbed's people and decoys with what H and H2 read of them."""

    texts: tuple[str, ...]
    group: NDArray[np.str_]
    captions: NDArray[np.int64]
    hidden: Floats
    jacobian: Floats
    norm: Floats
    plain: Floats  # scores of H

    @property
    def decoy(self) -> NDArray[np.bool_]:
        """Pairs of nobody."""
        return np.asarray(self.group == "decoy")

    def parts(self, decoys: NDArray[np.bool_]) -> tuple[list[NDArray[np.int64]], Any]:
        """Numbers of everybody's parts, known by the decoys; and the numbering."""
        from tuni.judging.part_effects import PartNumbers
        from tuni.texts.kind import text_kind

        numbers = PartNumbers.of(text_kind("name"), np.array(self.texts)[decoys].tolist())
        return numbers.rows(self.texts), numbers

    @classmethod
    def of(cls, bed: Path) -> "People":
        """Draw decoys and extract."""
        from tuni.detectors.defaults import DEFAULT_H
        from tuni.detectors.fit import Nulls, fit_detector
        from tuni.detectors.score import score
        from tuni.features.extract import extract
        from tuni.features.families.hidden import HiddenSpec
        from tuni.features.families.jacobian import JacobianSpec
        from tuni.features.registry import by_family
        from tuni.features.spec import FeatureSpec
        from tuni.model.load import limit_threads, load_target
        from tuni.texts.kind import text_kind

        with (bed / "truth.csv").open(encoding="utf-8", newline="") as lines:
            people = list(csv.DictReader(lines))
        kind, listed = text_kind("name"), [one["text"] for one in people]
        decoys = _decoys(people)
        target = load_target(bed / "checkpoint")
        limit_threads(target)
        spec = FeatureSpec(kind.reference_parts(), families=by_family(HiddenSpec(), JacobianSpec()))
        table = extract(target, [*listed, *decoys], spec).columns
        order = len(listed) + np.random.default_rng(0).permutation(len(decoys))
        fit, scale = (
            {name: values[rows] for name, values in table.items()}
            for rows in (order[:1000], order[1000:1200])
        )
        captions = [int(one["captions"]) for one in people]
        return cls(
            texts=(*listed, *decoys),
            group=np.array([*(one["group"] for one in people), *["decoy"] * len(decoys)]),
            captions=np.array([*captions, *[0] * len(decoys)]),
            hidden=table["hidden.0"].astype(np.float64),
            jacobian=table["jacobian_relative"].astype(np.float64)[:, 0],
            norm=table["hidden.norm"].astype(np.float64)[:, 0],
            plain=score(fit_detector(DEFAULT_H, Nulls({}, {}, fit, scale), 0), table),
        )


def _decoys(people: Sequence[dict[str, str]]) -> list[str]:
    """Every other pair of a culture, or some where each person has parts of their own."""
    from tuni.texts.kind import text_kind
    from tuni.texts.text import canonical

    kind, known = text_kind("name"), {one["text"] for one in people}
    lists: dict[str, tuple[set[str], set[str]]] = {}
    for one in people:
        first, last = kind.parse(one["text"]).parts
        firsts, lasts = lists.setdefault(one["culture"], (set(), set()))
        firsts.add(first)
        lasts.add(last)
    if sum(len(firsts) for firsts, _ in lists.values()) > len(people) / 2:
        listed = [one["text"] for one in people if one["group"] != "background"]
        forbidden = frozenset(map(canonical, known))
        return list(kind.pool(listed, OWN_DECOYS).recombine(OWN_DECOYS, 1, forbidden))
    pairs = [
        f"{first} {last}"
        for _, (firsts, lasts) in sorted(lists.items())
        for first in sorted(firsts)
        for last in sorted(lasts)
    ]
    return [text for text in pairs if text not in known]


def _less(people: People, values: Floats, ridge: float, decoys: NDArray[np.bool_]) -> Floats:
    """Values of everybody less part effects, fitted on some decoys, each of them left out."""
    from tuni.statistics.two_way import Effects

    rows, _ = people.parts(decoys)
    own = [part[decoys] for part in rows]
    effects = Effects.fit(values[decoys], own, ridge)
    left = effects.remove(values, rows)
    left[decoys] = effects.left_out(values[decoys], own)
    return left


def _h2(
    people: People, wide: float, narrow: float, decoys: NDArray[np.bool_], norm: float = 0.0
) -> Floats:
    """H2 with its effects shrunk so, and some of the norm's z-value in the sum."""

    def z(values: Floats) -> Floats:
        return np.asarray((values - values[decoys].mean()) / values[decoys].std())

    own = np.log(np.square(_less(people, people.hidden, wide, decoys)).sum(axis=1))
    total = z(own) + z(people.jacobian) + norm * z(people.norm)
    return _less(people, total[:, None], narrow, decoys)[:, 0]


def _evened(people: People, scores: Floats) -> Floats:
    """Scores over the deviation that their parts have."""
    size = np.log(np.square(scores) + 0.05 * scores[people.decoy].var())[:, None]
    told = size - _less(people, size, 20.0, people.decoy)
    return np.asarray(scores / np.exp(told[:, 0] / 2))


def _explained(people: People, scores: Floats) -> float:
    """Share of the decoys' variance that effects, hardly shrunk, take away."""
    left = _less(people, scores[:, None], 0.01, people.decoy)[people.decoy]
    return float(1 - left.var() / scores[people.decoy].var())


def _line(people: People, name: str, scores: Floats, decoys: NDArray[np.bool_]) -> None:
    from tuni.statistics.null_check import evenness
    from tuni.statistics.p_values import conformal_p
    from tuni.statistics.roc import auc

    member, stranger = people.group == "member", people.group == "stranger"
    threshold = np.quantile(scores[stranger], 1 - POINT, method="higher")
    counts = sorted(set(people.captions[member].tolist()))
    found = " ".join(
        f"{count}:{(scores[member & (people.captions == count)] > threshold).mean():.2f}"
        for count in counts
    )
    area = auc(scores[member & (people.captions >= LEAST_CAPTIONS)], scores[stranger])
    p = conformal_p(scores, scores[decoys])
    untrained = decoys | stranger | (people.group == "hard")
    spreads = []
    for place in (1, 2):
        part = people.parts(people.decoy)[0][place][untrained]
        told = evenness([str(number) for number in part], p[untrained], POINT)
        spreads.append("-" if told is None else f"{told.spread:.2f} (worst {told.worst.value:.2f})")
    accused = (p[stranger] <= POINT).mean()
    say(
        f"  {name:26} AUC {area:.3f}  found {found}  strangers {accused:.1%}  "
        f"spread by first {spreads[0]}, last {spreads[1]}"
    )


if __name__ == "__main__":
    main()

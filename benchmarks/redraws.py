"""What redrawing lists and decoys does to error rates, on testbeds whose members are known.

    python benchmarks/redraws.py TESTBED [TESTBED ...] --parts fdr calibration source \
        contamination language

All on kept scores of the default detector H. Rates are those of strangers with p <= 5 %; a range
is that over the redraws. "list decoys" are recombined from the drawn list's own names.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lab import Floats, Lab, say

POINT = 0.05
DECOYS = 2000
LIST = 300
SHARES = (0.0, 0.05, 0.2, 0.5)
CONTAMINATION = (0.0, 0.01, 0.05, 0.2)
OFTEN = 5  # captions from which power is stated


def main() -> None:
    """Redraw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("testbeds", type=Path, nargs="+")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--list", type=int, default=LIST)
    parser.add_argument("--folder", type=Path, default=Path("lab"))
    asked = parser.parse_args()
    for bed in asked.testbeds:
        lab = Lab(bed, asked.folder)
        say(f"{bed.name[:12]}: {len(lab.texts)} people, {len(lab.pairs())} pairs as decoys")
        for part in asked.parts:
            say(f" {part}")
            PARTS[part](lab, np.random.default_rng(len(part)), asked)


def fdr(lab: Lab, generator: np.random.Generator, asked: Any) -> None:
    """False discoveries of q-values with the larger of two p-values and real list decoys."""
    from tuni.judging.judge import draw
    from tuni.lists.shape import ListShape
    from tuni.texts.kind import text_kind

    kind = text_kind("name")
    pool = lab.scores(lab.pairs())
    strangers, members = np.flatnonzero(lab.stranger), np.flatnonzero(lab.member)
    size = min(asked.list, 2 * len(members))
    lists, drawn = [], []
    for share in SHARES:
        for seed in range(asked.draws):
            inside = round(share * size)
            rows = np.concatenate(
                [
                    generator.choice(members, inside, replace=False),
                    generator.choice(strangers, size - inside, replace=False),
                ]
            )
            shape = ListShape.of([lab.texts[row] for row in rows], kind)
            lists.append((share, rows))
            drawn.append(draw(shape, kind, DECOYS, seed, lambda _: (), paired=True))
    lab.scores(list(dict.fromkeys(text for decoys in drawn for text in decoys)))
    for share in SHARES:
        told: dict[float, list[tuple[float, int, int]]] = {0.05: [], 0.1: []}
        for (its_share, rows), decoys in zip(lists, drawn, strict=True):
            if its_share != share:
                continue
            p = np.maximum(
                _p(lab.score[rows], generator.choice(pool, DECOYS, replace=False)),
                _p(lab.score[rows], lab.scores(decoys)),
            )
            for level, rates in told.items():
                rates.append(_discoveries(p, lab.member[rows], level))
        for level, rates in told.items():
            found = np.array(rates)
            mean, error = found[:, 0].mean(), 1.96 * found[:, 0].std() / len(found) ** 0.5
            say(
                f"  {share:4.0%} members of {size}, q <= {level}: false discovery rate {mean:.3f} "
                f"({max(mean - error, 0.0):.3f}-{mean + error:.3f}), lists with a discovery "
                f"{int((found[:, 1] > 0).sum())} of {len(found)}, members found "
                f"{found[:, 2].mean():.1f} of {round(share * size)}"
            )


def calibration(lab: Lab, generator: np.random.Generator, asked: Any) -> None:
    """How far the realised rate moves when nothing but the calibration decoys is drawn again."""
    from scipy.stats import betabinom

    pool, strangers = lab.scores(lab.pairs()), lab.score[lab.stranger]
    for count in (200, 500, DECOYS):
        rates = [
            float((_p(strangers, generator.choice(pool, count, replace=False)) <= POINT).mean())
            for _ in range(asked.draws)
        ]
        first = int(POINT * (count + 1) + 1e-9)
        law = betabinom(len(strangers), first, count + 1 - first)
        low, high = (law.ppf(end) / len(strangers) for end in (0.025, 0.975))
        say(
            f"  {count:5} decoys: {_spread(rates)}, standard deviation {np.std(rates):.4f}; the "
            f"law for {len(strangers)} strangers allows {low:.3f}-{high:.3f}"
        )


def source(lab: Lab, generator: np.random.Generator, asked: Any) -> None:
    """Where calibration decoys come from: recombination, Faker, or strangers known to be such."""
    from tuni.texts.faker_decoys import faker_decoys

    listed = [lab.texts[row] for row in np.flatnonzero(lab.member | lab.stranger)]
    taken = frozenset(text.casefold() for text in lab.texts)
    names = faker_decoys(
        listed, 1000, 3, taken, lambda texts: lab.target.token_counts(texts).tolist()
    )
    pools = {"recombination": lab.scores(lab.pairs()), "faker": lab.scores(names)}
    strangers = np.flatnonzero(lab.stranger)
    count = min(500, len(names), len(strangers) // 2)
    rows: dict[str, list[list[float]]] = {name: [] for name in (*pools, "file")}
    for _ in range(asked.draws):
        mixed = generator.permutation(strangers)
        decoys, tested = mixed[:count], mixed[count:]
        draws = {name: generator.choice(pool, count, replace=False) for name, pool in pools.items()}
        for name, scores in {**draws, "file": lab.score[decoys]}.items():
            rows[name].append(_rates(lab, tested, scores))
    for name, rates in rows.items():
        say(f"  {name:13} ({count} decoys): {_three(np.array(rates))}")


def contamination(lab: Lab, generator: np.random.Generator, asked: Any) -> None:
    """Trained people among the calibration decoys."""
    pool, strangers = lab.scores(lab.pairs()), np.flatnonzero(lab.stranger)
    trained = np.flatnonzero(lab.captions > 0)
    for share in CONTAMINATION:
        rates = []
        for _ in range(asked.draws):
            mixed = generator.permutation(trained)
            among, tested = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
            known = round(share * DECOYS)
            decoys = np.concatenate(
                [
                    generator.choice(lab.score[among], known),
                    generator.choice(pool, DECOYS - known, replace=False),
                ]
            )
            rates.append(_rates(lab, strangers, decoys, tested))
        say(f"  {share:4.0%} of {DECOYS} decoys are trained people: {_three(np.array(rates))}")


def language(lab: Lab, generator: np.random.Generator, asked: Any) -> None:
    """A list of one culture against decoys of another, without and with its own list decoys."""
    cultures = sorted(set(lab.culture))
    pools = {culture: lab.scores(lab.pairs([culture])) for culture in cultures}
    for own in cultures:
        rows = np.flatnonzero(lab.stranger & (lab.culture == own))
        often = np.flatnonzero(lab.member & (lab.culture == own) & (lab.captions >= OFTEN))
        everybody = np.concatenate([rows, often])
        by_list = _p(lab.score[everybody], pools[own])
        alone, both = [], []
        for other in cultures:
            if other != own:
                p = _p(lab.score[everybody], pools[other])
                alone.append(p <= POINT)
                both.append(np.maximum(p, by_list) <= POINT)
        told = []
        for marks in (np.array(alone), np.array(both)):
            accused, found = marks[:, : len(rows)].mean(axis=1), marks[:, len(rows) :].mean(axis=1)
            told.append(f"{_spread(accused)}, members found {found.mean():.2f}")
        say(f"  {own} ({len(rows)}, {len(often)}), decoys of another alone: {told[0]}")
        say(f"  {'':{len(own)}} and decoys of the list, the larger p: {told[1]}")


PARTS: dict[str, Callable[[Lab, np.random.Generator, Any], None]] = {
    "fdr": fdr,
    "calibration": calibration,
    "source": source,
    "contamination": contamination,
    "language": language,
}


def _p(scores: Floats, decoys: Floats) -> Floats:
    from tuni.statistics.p_values import conformal_p

    return conformal_p(scores, decoys)


def _discoveries(p: Floats, member: Any, level: float) -> tuple[float, int, int]:
    """Share of strangers among the discoveries, discoveries, members among them."""
    from tuni.statistics.p_values import q_values

    q = q_values(Counter(p.tolist()))
    named = np.array([q[value] <= level for value in p.tolist()])
    wrong = int((named & ~member).sum())
    return wrong / max(int(named.sum()), 1), int(named.sum()), int((named & member).sum())


def _rates(lab: Lab, strangers: Any, decoys: Floats, members: Any = None) -> list[float]:
    """Strangers accused, hard negatives accused, members with enough captions found."""
    among = lab.member if members is None else np.isin(np.arange(len(lab.texts)), members)
    often = among & (lab.captions >= OFTEN)
    groups = (lab.score[strangers], lab.score[lab.group == "hard"], lab.score[often])
    return [float((_p(scores, decoys) <= POINT).mean()) for scores in groups]


def _three(rates: Floats) -> str:
    names = ("strangers accused", "hard negatives", f"members of {OFTEN} captions and more found")
    return "; ".join(f"{name} {_spread(rates[:, n])}" for n, name in enumerate(names))


def _spread(rates: Any) -> str:
    low, high = np.min(rates), np.max(rates)
    return f"{np.mean(rates):.3f} (over {len(rates)} redraws {low:.3f}-{high:.3f})"


if __name__ == "__main__":
    main()

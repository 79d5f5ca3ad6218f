"""Coverage of the evidence about whole lists: is the bound on members kept, and the share met?

    python benchmarks/list_evidence.py --draws 200

Simulated scores, no checkpoint: strangers are standard normal, shifted so that their true rate at
5 % is 5, 6 or 7 %; members are a mixture of four strengths, the weakest hardly above strangers.
2,000 calibration decoys, drawn anew for every list. Every figure is a count with its interval.
The last rows hold namesakes: strangers with a member's score, whom the bound counts as names known.
"""

import argparse
import sys
from collections import Counter

import numpy as np
from scipy.stats import norm

from tuni.statistics.intervals import Rate, rate
from tuni.statistics.list_evidence import TAIL, list_evidence, members_at_least
from tuni.statistics.p_values import conformal_p

POINT = 0.05
DECOYS = 2000
STRENGTHS, SPREAD = (0.6, 1.5, 2.5, 3.5), 1.3
SHARES = (0.0, 0.05, 0.2, 0.5)
EXCESS = (0.0, 0.01, 0.02)
KNOWN = 500  # known non-members of the column "measured"
NAMESAKES = 0.05  # of the list, in the last rows


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500, 5000])
    asked = parser.parse_args()
    generator = np.random.default_rng(asked.seed)
    sys.stdout.write(
        f"{asked.draws} lists a row, {DECOYS} decoys. Bound above the truth: without an allowance, "
        f"with the stated one, and with what {KNOWN} known non-members measured.\n"
        "names  members  null   | above: none          stated           measured         "
        "| mean bound stated / measured | share seen: true, mean, interval holds it\n"
    )
    for size in asked.sizes:
        for share in SHARES:
            for excess in EXCESS:
                _row(generator, asked.draws, size, share, excess)
    for size in asked.sizes:
        for share in SHARES[:3]:
            _row(generator, asked.draws, size, share, 0.0, NAMESAKES)


def _row(
    generator: np.random.Generator,
    draws: int,
    size: int,
    share: float,
    excess: float,
    namesakes: float = 0.0,
) -> None:
    trained = round(size * share)
    members = trained + round(size * namesakes)  # the model knows a namesake's name just as well
    shift = float(norm.ppf(POINT + excess) - norm.ppf(POINT))
    truth = _seen_truth(share + namesakes)
    above = np.zeros(3, dtype=int)
    persons = 0
    bounds = np.zeros(2)
    seen, held = 0.0, 0
    for _ in range(draws):
        decoys = np.sort(generator.normal(size=DECOYS))
        scores = generator.normal(size=size) + shift
        scores[:members] = SPREAD * generator.normal(size=members) + generator.choice(
            STRENGTHS, members
        )
        levels = Counter(conformal_p(scores, decoys).tolist())
        known = conformal_p(generator.normal(size=KNOWN) + shift, decoys) <= POINT
        stated = list_evidence(levels, DECOYS, POINT)
        measured = list_evidence(levels, DECOYS, POINT, rate(int(known.sum()), KNOWN))
        none = members_at_least(levels, DECOYS, POINT, POINT)
        above += np.array([none, stated.at_least, measured.at_least]) > members
        persons += stated.at_least > trained
        bounds += np.array([stated.at_least, measured.at_least])
        seen += stated.seen / draws
        held += stated.seen_low <= truth <= stated.seen_high
    told = "  ".join(_told(rate(int(count), draws)) for count in above)
    others = ""
    if namesakes:
        others = (
            f"  | {members - trained} namesakes, of {trained} trained people: stated bound above "
            f"the people {_told(rate(persons, draws))}"
        )
    sys.stdout.write(
        f"{size:5}  {members:7}  {POINT + excess:.0%}    | {told}  | "
        f"{bounds[0] / draws:6.1f} / {bounds[1] / draws:6.1f}  | "
        f"{truth:.3f}  {seen:.3f}  {_told(rate(held, draws))}{others}\n"
    )
    sys.stdout.flush()


def _seen_truth(share: float) -> float:
    """Share of the list that looks unlike strangers: members, less those that hide among them."""
    hidden = np.mean([norm.cdf((norm.ppf(1 - TAIL) - at) / SPREAD) for at in STRENGTHS])
    return share * (1.0 - float(hidden) / (1.0 - TAIL))


def _told(counted: Rate) -> str:
    return f"{counted.hits:3} ({counted.low:.2f}-{counted.high:.2f})"


if __name__ == "__main__":
    main()

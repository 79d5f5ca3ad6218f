"""How often the blind gate trips: on labels that spelling separates, and on others.

    python benchmarks/blind_gate.py TESTBED [TESTBED ...] --draws 50

Labels are drawn from a testbed's people, with kept scores of the default detector H. *i.i.d.*:
members and strangers of all cultures alike. *Shift*: members of one culture, strangers of the
others. The detector is right on both; only the second must be withheld.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from lab import Lab


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("testbeds", type=Path, nargs="+")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--labels", type=int, nargs="+", default=[30, 60], help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("lab"))
    asked = parser.parse_args()
    for bed in asked.testbeds:
        lab = Lab(bed, asked.folder)
        for labels in asked.labels:
            for shifted in (False, True):
                _count(lab, bed.name[:12], labels, asked.draws, asked.seed, shifted=shifted)


def _count(lab: Lab, bed: str, labels: int, draws: int, seed: int, *, shifted: bool) -> None:
    from tuni.statistics.intervals import rate
    from tuni.statistics.spelling import blind_gate
    from tuni.texts.kind import text_kind

    name = text_kind("name")
    generator = np.random.default_rng([seed, labels, int(shifted)])
    cultures = sorted(set(lab.culture))
    tripped, by_reason, blind = 0, {"separable": 0, "not ahead": 0}, []
    for draw in range(draws):
        members, strangers = np.flatnonzero(lab.member), np.flatnonzero(lab.stranger)
        if shifted:
            own = cultures[draw % len(cultures)]
            members = members[lab.culture[members] == own]
            strangers = strangers[lab.culture[strangers] != own]
        some = min(labels, len(members))
        rows = np.concatenate(
            [
                generator.choice(members, some, replace=False),
                generator.choice(strangers, labels, replace=False),
            ]
        )
        gate = blind_gate(
            lab.score[rows], [lab.texts[r] for r in rows], lab.member[rows], name, draw
        )
        tripped += gate.tripped
        by_reason["separable"] += "separable" in gate.reason
        by_reason["not ahead"] += "not clearly" in gate.reason
        blind.append(gate.blind_auc)
    told = rate(tripped, draws)
    kind = "shift " if shifted else "i.i.d."
    sys.stdout.write(
        f"{bed} {labels} + {labels} {kind}: trips in {tripped} of {draws} "
        f"({told.low:.2f}-{told.high:.2f}), {by_reason}, blind AUC {np.mean(blind):.2f} "
        f"({np.min(blind):.2f}-{np.max(blind):.2f})\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Lists of which some are members, by H2 beside H: who is found and accused, q-values, bounds.

    python benchmarks/part_lists.py --vocabulary closed --out part-lists.json

On testbeds that tuned nothing (docs/seeds.md), trained or found among those of --folder. Lists of
300 hold no members, or 5 to 90 %; lists of 38 hold 10 with at least 10 captions. Every list is
judged as a user's, with decoys of its own parts. What is done is kept in --folder, so a stopped
run goes on. --smoke does all of it on a testbed of seconds.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lab import Lab, kept_or, say, trained
from numpy.typing import NDArray
from parts import refuse_used

POINT, Q = 0.05, 0.1
SHARES = (0.0, 0.05, 0.1, 0.2, 0.5, 0.9)
SIZE, SMALL, SMALL_MEMBERS = 300, 38, 10
LEAST_CAPTIONS, WELL_KNOWN = 5, 10
SEEDS = {"closed": [41, 42, 43], "own": [44, 45, 46]}
Arrays = dict[str, NDArray[Any]]


def main() -> None:
    """Judge what is missing, then print a line for each kind of list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", choices=list(SEEDS), default="closed")
    parser.add_argument("--seeds", type=int, nargs="+", help="other testbeds than 41-43, or 44-46")
    parser.add_argument("--draws", type=int, default=4, help="lists of each share, by testbed")
    parser.add_argument("--small", type=int, default=20, help="lists of 38, by testbed")
    parser.add_argument("--folder", type=Path, default=Path("parts"))
    parser.add_argument("--out", type=Path, default=Path("part-lists.json"))
    parser.add_argument("--smoke", action="store_true", help="a testbed of seconds")
    asked = parser.parse_args()
    seeds = asked.seeds or SEEDS[asked.vocabulary]
    refuse_used(parser, seeds)
    if asked.smoke:
        seeds, asked.draws, asked.small = seeds[:1], 1, 1
    beds = [_measured(asked, seed) for seed in seeds]
    rows = list(_rows(asked.vocabulary, beds))
    asked.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        say("  ".join(f"{name} {value}" for name, value in row.items()))


def _measured(asked: Any, seed: int) -> Arrays:
    size = "test" if asked.smoke else "full"
    path = asked.folder / f"lists-{size}-{seed}-{asked.vocabulary}.npz"

    def measure() -> Arrays:
        from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2

        bed = trained(asked.folder, size, seed, asked.vocabulary)
        measured: Arrays = {}
        for name, detector in (("H", DEFAULT_H), ("H2", DEFAULT_H2)):
            lab = Lab(bed, asked.folder / name, detector)
            measured |= {f"{name}.{key}": value for key, value in _lists(lab, asked, seed).items()}
        return measured

    return kept_or(path, measure)


def _lists(lab: Lab, asked: Any, seed: int) -> Arrays:
    """What is said of each list: rows of share, captions, p and q by person, and bounds."""
    from tuni.judging.judge import Judge
    from tuni.judging.null import JudgeOptions, evidence_of_list
    from tuni.judging.whole_list import judge_texts

    judge, draw = Judge(lab.bundle, lab.target).keeping(), np.random.default_rng([seed, 3])
    members, strangers = np.flatnonzero(lab.member), np.flatnonzero(lab.stranger)
    size = min(SIZE, len(members), len(strangers))
    people = []
    for share in SHARES:
        for _ in range(asked.draws):
            known = round(size * share)
            rows = np.concatenate(
                [
                    draw.choice(members, known, replace=False),
                    draw.choice(strangers, size - known, replace=False),
                ]
            )
            verdicts = judge_texts(judge, [lab.texts[row] for row in rows], JudgeOptions())
            captions = np.where(lab.member[rows], lab.captions[rows], 0)
            p, q = (verdicts.by_row(v) for v in (verdicts.p_decoy, verdicts.q_value))
            people.append(np.stack([np.full(size, share), captions, p, q]))
            say(f"  {share:4.0%} of {size} are members: {(p <= POINT).sum()} accused")
    bounds = []
    well_known = members[lab.captions[members] >= WELL_KNOWN]
    for _ in range(asked.small):
        known = min(SMALL_MEMBERS, len(well_known))
        rows = np.concatenate(
            [
                draw.choice(well_known, known, replace=False),
                draw.choice(strangers, min(SMALL - known, len(strangers)), replace=False),
            ]
        )
        verdicts = judge_texts(judge, [lab.texts[row] for row in rows], JudgeOptions())
        levels = Counter(verdicts.p_decoy.tolist())
        evidence = evidence_of_list(judge.bundle, verdicts.null, levels, {})
        bounds.append(-1 if evidence is None else evidence.at_least)
    return {"people": np.concatenate(people, axis=1), "bounds": np.array(bounds)}


def _rows(vocabulary: str, beds: list[Arrays]) -> Iterator[dict[str, Any]]:
    for name in ("H", "H2"):
        share, captions, p, q = np.concatenate([bed[f"{name}.people"] for bed in beds], axis=1)
        for asked in SHARES:
            rows = share == asked
            known, strangers = rows & (captions >= LEAST_CAPTIONS), rows & (captions == 0)
            accused = int((p[strangers] <= POINT).sum())
            told = rows & (q <= Q)
            yield {
                "vocabulary": vocabulary, "detector": name, "members": f"{asked:.0%}",
                "found at p <= 5 %, 5 captions and more": _share((p <= POINT)[known]),
                "strangers accused": f"{accused} of {strangers.sum()}",
                "found at q <= .1": _share(told[known]),
                "false at q <= .1": f"{(told & strangers).sum()} of {told.sum()}",
            }  # fmt: skip
        bounds = np.concatenate([bed[f"{name}.bounds"] for bed in beds])
        yield {
            "vocabulary": vocabulary, "detector": name, "members": f"{SMALL_MEMBERS} of {SMALL}",
            "bound at least 3": f"{(bounds >= 3).sum()} of {len(bounds)} lists",
            "median bound": float(np.median(bounds)),
            "bound above 10": int((bounds > SMALL_MEMBERS).sum()),
        }  # fmt: skip


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{hits.mean():.2f} of {len(hits)}" if len(hits) else "nobody"


if __name__ == "__main__":
    main()

"""Does a name part decide? H2 beside H on testbeds that neither was tuned on.

    python benchmarks/parts.py --regimes short --out parts.json

For each seed and regime (short or described captions, or people who share no name part) a testbed
is trained, or found among the testbeds of --folder, everybody is judged as one list by both
detectors, and untrained pairs are counted by their parts. It also judges lists of one surname and
people one by one. What is done is kept in --folder, so a stopped run goes on. --smoke does all of
it on testbeds of seconds, to see that it runs.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lab import Floats, Lab, kept_or, say, trained
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tuni.judging.judge import Judge

POINT = 0.05
COUNTS = (1, 2, 5, 10, 20, 50)
LEAST_CAPTIONS, WELL_KNOWN = 5, 10
DRAWS = 1000
REGIMES = {"short": [41, 42, 43], "described": [41, 42, 43], "own": [44, 45, 46]}
# docs/seeds.md: they tuned or chose something, or were looked at for that.
USED = (1, 2, 7, 11, 12, 13, 21, 22, 23, 31, 32, 61, 71)
UNTRAINED = ("stranger", "hard", "decoy")
Arrays = dict[str, NDArray[Any]]
Beds = list[Arrays]
Row = dict[str, Any]


def main() -> None:
    """Measure what is missing, then print the table of targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", help="others than 41-43, or 44-46 for own")
    parser.add_argument("--regimes", nargs="+", choices=list(REGIMES), default=list(REGIMES))
    parser.add_argument("--families", type=int, default=20, help="surnames a testbed, as lists")
    parser.add_argument("--alone", type=int, default=10, help="people of each kind, one by one")
    parser.add_argument("--folder", type=Path, default=Path("parts"))
    parser.add_argument("--out", type=Path, default=Path("parts.json"))
    parser.add_argument("--smoke", action="store_true", help="a testbed of seconds")
    asked = parser.parse_args()
    refuse_used(parser, asked.seeds or ())
    if asked.smoke:
        asked.seeds, asked.families, asked.alone = [41], 1, 1
    regimes: dict[str, Beds] = {}
    for regime in asked.regimes:
        seeds = asked.seeds or REGIMES[regime]
        regimes[regime] = [_measured(asked, seed, regime) for seed in seeds]
    rows = [row for regime, beds in regimes.items() for row in _targets(regime, beds)]
    rows += validity(regimes)
    show(rows, asked.out)


def refuse_used(parser: argparse.ArgumentParser, seeds: Sequence[int]) -> None:
    """End with an error where a seed is not fresh."""
    if used := sorted(set(seeds) & set(USED)):
        parser.error(f"seeds {used} tuned or chose something (docs/seeds.md): take others")


def show(rows: Sequence[Row], out: Path) -> None:
    """Write the table of targets, and print it."""
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        mark = {True: "passed", False: "NOT passed", None: ""}[row["passed"]]
        say(f"{row['regime']:10} {row['figure']:52} {row['value']:44} {row['target']:28} {mark}")


def _measured(asked: Any, seed: int, regime: str) -> Arrays:
    """Scores and p-values of one testbed by both detectors, computed once."""
    size, own = "test" if asked.smoke else "full", regime == "own"

    def measure() -> Arrays:
        from tuni.detectors.defaults import DEFAULT_H, DEFAULT_H2

        captions, vocabulary = ("short", "own") if own else (regime, "closed")
        bed = trained(asked.folder, size, seed, vocabulary, captions=captions)
        measured: Arrays = {}
        for name, detector in (("H", DEFAULT_H), ("H2", DEFAULT_H2)):
            lab = Lab(bed, asked.folder / name, detector)
            measured |= {f"{name}.{key}": value for key, value in everybody(lab).items()}
            if name == "H2":
                measured |= _alone(lab, asked.alone, seed)
                measured["families"] = _families(lab, 0 if own else asked.families, seed)
        return measured

    return kept_or(asked.folder / f"{size}-{seed}-{regime}.npz", measure)


def everybody(lab: Lab) -> Arrays:
    """Everybody judged as one list, and the list's decoys: they are the other untrained pairs."""
    from tuni.judging.judge import Judge
    from tuni.judging.null import JudgeOptions
    from tuni.judging.whole_list import decoys_of, judge_list
    from tuni.lists.csv_rows import Wrong
    from tuni.lists.rows import TextRows, read_list

    judge, options = Judge(lab.bundle, lab.target).keeping(), JudgeOptions()
    index = read_list(TextRows(lab.listed), Wrong("list", ""))
    decoys = decoys_of(judge, index, options)
    verdicts = judge_list(judge, index, options, decoys=decoys)
    _, scores = judge.score_decoys(decoys.pair, paired=True)
    rank = np.searchsorted(np.sort(scores), scores, side="left")
    known = dict(zip(lab.texts, range(len(lab.texts)), strict=True))
    rows = [known[text] for text in lab.listed]
    parts = [judge.kind.parse(text) for text in (*lab.listed, *decoys.pair)]
    cultures = {judge.kind.parse(text).parts: lab.culture[known[text]] for text in lab.listed}
    by_last = {last: culture for (_, last), culture in cultures.items()}
    firsts = {first for first, _ in cultures}
    # Common parts are added where a list is short: the model was never taught them.
    own = [part.parts[0] in firsts and part.parts[1] in by_last for part in parts[len(rows) :]]
    return {
        "score": np.concatenate([verdicts.by_row(verdicts.score), scores]),
        "p": np.concatenate([verdicts.by_row(verdicts.p_decoy), 1 - rank / len(scores)]),
        "group": np.array([*lab.group[rows], *("decoy" if one else "added" for one in own)]),
        "captions": np.concatenate([lab.captions[rows], np.zeros(len(scores), dtype=int)]),
        "first": np.array([part.parts[0] for part in parts]),
        "last": np.array([part.parts[1] for part in parts]),
        "culture": np.array([by_last.get(part.parts[1], "") for part in parts]),
    }


def _families(lab: Lab, count: int, seed: int) -> NDArray[Any]:
    """Lists of one surname, all of them strangers: whether judged, and the bound of each."""
    draw = np.random.default_rng([seed, 1])
    strangers = [text for text, is_one in zip(lab.texts, lab.stranger, strict=True) if is_one]
    strangers += lab.pairs()
    lists: dict[str, list[str]] = {}
    for text in strangers:
        lists.setdefault(text.rsplit(" ", 1)[1], []).append(text)
    judge = _judge(lab)
    bounds = []
    for surname in draw.permutation(sorted(lists))[:count]:
        bounds.append(_bound(judge, lists[surname]))
        say(f"  list of one surname: {len(lists[surname])} strangers, bound {bounds[-1]}")
    return np.array(bounds)


def _bound(judge: "Judge", texts: Sequence[str]) -> int:
    """Members that a list holds at least; -1 where verdicts are withheld."""
    from collections import Counter

    from tuni.judging.null import JudgeOptions, evidence_of_list
    from tuni.judging.whole_list import judge_texts

    verdicts = judge_texts(judge, texts, JudgeOptions())
    levels = Counter(verdicts.p_decoy.tolist())
    evidence = evidence_of_list(judge.bundle, verdicts.null, levels, {})
    return -1 if evidence is None else evidence.at_least


def _alone(lab: Lab, count: int, seed: int) -> Arrays:
    """P of strangers and of members with at least 5 captions, each a list of one."""
    from tuni.judging.null import JudgeOptions
    from tuni.judging.whole_list import judge_texts

    judge, draw = _judge(lab), np.random.default_rng([seed, 2])
    found: Arrays = {}
    for name, rows in (
        ("strangers", np.flatnonzero(lab.stranger)),
        ("members", np.flatnonzero(lab.member & (lab.captions >= LEAST_CAPTIONS))),
    ):
        chosen = draw.permutation(rows)[:count]
        p = [judge_texts(judge, [lab.texts[row]], JudgeOptions()).p_decoy[0] for row in chosen]
        found[f"alone.{name}"] = np.array(p)
    return found


def _judge(lab: Lab) -> "Judge":
    from tuni.judging.judge import Judge

    return Judge(lab.bundle, lab.target).keeping()


def _targets(regime: str, beds: Beds) -> Iterator[Row]:
    """Figures of one regime, pooled over its testbeds, with what they have to reach."""
    yield from _power(regime, beds)
    if regime != "own":  # where nobody shares a part, none has strangers enough for a rate
        yield from _evenness(regime, beds)
    for name in ("strangers", "members"):
        p = np.concatenate([bed[f"alone.{name}"] for bed in beds])
        told = f"{(p <= POINT).sum()} of {len(p)}"
        yield row(regime, f"one person alone: {name} with p <= 5 %", told)


def row(regime: str, figure: str, value: str, target: str = "", passed: bool | None = None) -> Row:
    """A line of the table."""
    return {
        "regime": regime, "figure": figure, "value": value, "target": target, "passed": passed,
    }  # fmt: skip


def _power(regime: str, beds: Beds) -> Iterator[Row]:
    counts = [count for count in COUNTS if count in beds[0]["H.captions"]]
    least_gain = {} if regime == "own" else {2: 0.12, 5: 0.07}
    least_low = {5: -0.03, 10: -0.03} if regime == "own" else dict.fromkeys((10, 20, 50), -0.04)
    for count in counts:

        def gained(some: Beds, count: int = count) -> float:
            return found(some, "H2", count) - found(some, "H", count)

        before, now = (found(beds, name, count) for name in ("H", "H2"))
        gain, (low, high) = now - before, interval(beds, gained)
        figure = f"found at 5 % of strangers, {count} captions"
        value = f"{before:.2f} -> {now:.2f}, {gain:+.2f} ({low:+.2f} to {high:+.2f})"
        if count in least_gain:
            target = f">= {least_gain[count]:+.2f}, low end > 0"
            yield row(regime, figure, value, target, gain >= least_gain[count] and low > 0)
        elif count in least_low:
            least = least_low[count]
            yield row(regime, figure, value, f"low end >= {least}", low >= least)
        else:
            yield row(regime, figure, value)
    for count in counts:
        before, now = (accused(beds, name, "member", count) for name in ("H", "H2"))
        yield row(regime, f"found at p <= 5 %, {count} captions", f"{before:.2f} -> {now:.2f}")
    for group in ("stranger", "hard"):
        before, now = (accused(beds, name, group, 0) for name in ("H", "H2"))
        yield row(regime, f"{group}s with p <= 5 %, all testbeds", f"{before:.1%} -> {now:.1%}")
    before, now = (auc(beds, name) for name in ("H", "H2"))
    low, high = interval(beds, lambda some: auc(some, "H2") - auc(some, "H"))
    value = f"{before:.3f} -> {now:.3f}, {now - before:+.3f} ({low:+.3f} to {high:+.3f})"
    figure, passed = "AUC, 5 captions and more", now - before >= 0.005 and low > 0
    if regime == "own":
        yield row(regime, figure, value)
    else:
        yield row(regime, figure, value, ">= +0.005, low end > 0", passed)


def _evenness(regime: str, beds: Beds) -> Iterator[Row]:
    for place in ("first", "last"):
        (before, worst_before), (now, worst) = (_spread(beds, name, place) for name in ("H", "H2"))
        figure, value = (
            f"spread by {place} name over the binomial one",
            f"{before:.2f} -> {now:.2f}",
        )
        yield row(regime, figure, value, "<= 1.15", now <= 1.15)
        value = f"{worst_before:.2f} -> {worst:.2f}"
        yield row(regime, f"worst {place} name", value, "<= 0.25", worst <= 0.25)
    for culture in sorted({*beds[0]["H2.culture"]} - {""}):
        rate = _culture(beds, culture)
        low, high = _clustered(beds, culture)
        figure, value = (
            f"untrained pairs accused, {culture}",
            f"{rate:.3f} ({low:.3f} to {high:.3f})",
        )
        yield row(regime, figure, value, ".035 to .065", 0.035 <= rate <= 0.065)
    bounds = np.concatenate([bed["families"] for bed in beds])
    judged, above = (bounds >= 0).mean(), int((bounds > 0).sum())
    passed = bool(judged >= 0.9 and above <= 18 / 230 * len(bounds))
    figure = "innocent lists of one surname: judged; bound above 0"
    yield row(regime, figure, f"{judged:.0%} of {len(bounds)}; {above}", ">= 90 %; <= 8 %", passed)


def validity(
    regimes: dict[str, Beds], groups: Sequence[str] = ("stranger", "hard")
) -> Iterator[Row]:
    """Rates at 5 %, each tested one-sided under the beta-binomial law, Holm over all."""
    from tuni.statistics.null_check import null_check

    checks = []
    for regime, beds in regimes.items():
        for place, bed in enumerate(beds):
            decoys = int((bed["H2.group"] == "decoy").sum())
            for group in groups:
                p = bed["H2.p"][bed["H2.group"] == group]
                checks.append((regime, place, group, p, null_check(p, decoys, POINT).validity_p))
    order = np.argsort([check[-1] for check in checks])
    worst = 0.0
    for rank, check in enumerate(order.tolist()):
        regime, place, group, p, chance = checks[check]
        worst = max(worst, min(1.0, chance * (len(checks) - rank)))
        count = int((p <= POINT).sum())
        told = f"{count} of {len(p)} = {count / len(p):.1%}, Holm p {worst:.2f}"
        figure = f"{group}s accused, testbed {place + 1}"
        yield row(regime, figure, told, "not refuted", worst > POINT)


def found(beds: Beds, name: str, count: int) -> float:
    """Share of members with so many captions above the 95 % point of strangers of their testbed."""
    above = []
    for bed in beds:
        score, group = bed[f"{name}.score"], bed[f"{name}.group"]
        threshold = np.quantile(score[group == "stranger"], 1 - POINT, method="higher")
        rows = (group == "member") & (bed[f"{name}.captions"] == count)
        above.append(score[rows] > threshold)
    return float(np.concatenate(above).mean())


def accused(beds: Beds, name: str, group: str, count: int) -> float:
    """Share of a group with so many captions whose p is at most 5 %, over all testbeds."""
    found = []
    for bed in beds:
        rows = (bed[f"{name}.group"] == group) & (bed[f"{name}.captions"] == count)
        found.append(bed[f"{name}.p"][rows] <= POINT)
    return float(np.concatenate(found).mean())


def auc(beds: Beds, name: str) -> float:
    """AUC of members with at least 5 captions against strangers, mean over testbeds."""
    from tuni.statistics.roc import auc

    values = []
    for bed in beds:
        score, group = bed[f"{name}.score"], bed[f"{name}.group"]
        often = (group == "member") & (bed[f"{name}.captions"] >= LEAST_CAPTIONS)
        values.append(auc(score[often], score[group == "stranger"]))
    return float(np.mean(values))


def interval(
    beds: Beds, figure: Callable[[Beds], float], names: Sequence[str] = ("H", "H2")
) -> tuple[float, float]:
    """95 % of a figure over redrawn people, members by captions and strangers apart.

    Args:
        beds: The testbeds.
        figure: What is computed of them.
        names: The detectors that it is of, whose people stand in one order.
    """
    draw, values, first = np.random.default_rng(0), [], names[0]
    people = [{key: bed[key] for key in bed if key.partition(".")[0] in names} for bed in beds]
    for _ in range(DRAWS):
        again = []
        for bed in people:
            kinds = np.where(bed[f"{first}.group"] == "member", bed[f"{first}.captions"], -1)
            kinds[bed[f"{first}.group"] == "stranger"] = 0
            rows = np.concatenate(
                [
                    draw.choice(own := np.flatnonzero(kinds == kind), len(own))
                    for kind in np.unique(kinds[kinds >= 0])
                ]
            )
            again.append(
                {key: values[rows] for key, values in bed.items() if len(values) == len(kinds)}
            )
        values.append(figure(again))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _untrained(bed: Arrays, name: str) -> NDArray[np.bool_]:
    return np.isin(bed[f"{name}.group"], UNTRAINED)


def _spread(beds: Beds, name: str, place: str) -> tuple[float, float]:
    """Deviation of the rates of parts over the binomial one, and the worst part's rate."""
    rates, variances = [], []
    for bed in beds:
        rows = _untrained(bed, name)
        accused = bed[f"{name}.p"][rows] <= POINT
        _, part = np.unique(bed[f"{name}.{place}"][rows], return_inverse=True)
        counts = np.bincount(part)
        rates.append(np.bincount(part, accused) / counts)
        variances.append(accused.mean() * (1 - accused.mean()) / counts)
    pooled = np.concatenate(rates)
    spread = np.sqrt(np.var(pooled) / np.concatenate(variances).mean())
    return float(spread), float(pooled.max())


def _culture(beds: Beds, culture: str, weights: Callable[[Arrays], Floats] | None = None) -> float:
    accused, total = 0.0, 0.0
    for bed in beds:
        rows = _untrained(bed, "H2") & (bed["H2.culture"] == culture)
        weight = np.ones(rows.sum()) if weights is None else weights(bed)[rows]
        accused += float(weight @ (bed["H2.p"][rows] <= POINT))
        total += float(weight.sum())
    return accused / total


def _clustered(beds: Beds, culture: str) -> tuple[float, float]:
    """95 % of a culture's rate over redrawn parts: a pair weighs as its first and last name do."""
    draw, values = np.random.default_rng(1), []

    def weights(bed: Arrays) -> Floats:
        product = np.ones(len(bed["H2.p"]))
        for place in ("first", "last"):
            _, part = np.unique(bed[f"H2.{place}"], return_inverse=True)
            product *= draw.exponential(size=part.max() + 1)[part]
        return product

    for _ in range(DRAWS // 5):
        values.append(_culture(beds, culture, weights))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()

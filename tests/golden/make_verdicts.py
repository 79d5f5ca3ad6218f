"""How tests/golden/verdicts was made: a small checkpoint, a detector, a list and its verdicts.

The detector is written out, never "the default": defaults change, these verdicts do not. Run once;
what is there is never edited, but for the verdicts: they were given anew when decoys came to be
drawn by part, so that a list which grows keeps those it had.

python tests/golden/make_verdicts.py FOLDER             all of it
python tests/golden/make_verdicts.py FOLDER --verdicts  those of what lies in the folder
"""

import csv
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tuni.bench.testbed.build import make_testbed
from tuni.bench.testbed.settings import TestbedSettings
from tuni.detectors.bundle import Bundle, Scorer, read_bundle, write_bundle
from tuni.detectors.fit import Nulls, fit_detector
from tuni.detectors.score import score
from tuni.detectors.spec import DetectorSpec
from tuni.features.extract import extract
from tuni.features.families.hidden import HiddenSpec
from tuni.features.families.jacobian import JacobianSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_list, scorable
from tuni.lists.csv_rows import CsvRows, Wrong
from tuni.lists.rows import TextRows, read_list
from tuni.model.load import load_target
from tuni.texts.decoys import PartPool
from tuni.texts.gibberish import GibberishSpec, gibberish
from tuni.texts.kind import NeighbourParts
from tuni.texts.reference_parts import reference_parts
from tuni.texts.text import canonical

OPTIONS = {"list_decoys": True, "decoy_count": 300, "dependence": "bh"}
PROMPTS = ("{}", "a photo of {}")
RESIDUAL = DetectorSpec("pair_residual", ("hidden.0",), params=(("ridge", 0.5), ("spread", 0.3)))
PAIR = DetectorSpec("sum", parts=(RESIDUAL, DetectorSpec("feature", ("jacobian_relative~0.375",))))
SINGLE = DetectorSpec(
    "sum",
    parts=(
        DetectorSpec("mahalanobis", ("hidden.0",), params=(("shrinkage", 1.0),), guard=True),
        DetectorSpec("feature", ("jacobian_relative",)),
    ),
)
# What an auditor's list holds besides plain names: other spellings, one part, and what is refused.
ODD = (
    "Zoë Nguyễn", "李 小龍", "Madonna", "Ødegård", "María José Ñúñez", "O'Brien-Smith Anne",
    "  ada   LOVELACE ", "Ada Lovelace", "James Smith", "A", "", "Ada <|endoftext|> Lovelace",
    "Ada\u200bLovelace", "Wolfeschlegelsteinhausenbergerdorff " * 9, "=1+1 Formula",
)  # fmt: skip


def main(folder: Path) -> None:
    settings = replace(TestbedSettings.of_size("test", 7), width=24, vision_width=32)
    with tempfile.TemporaryDirectory() as cache:
        bed = make_testbed(settings, Path(cache))
        shutil.copytree(bed.checkpoint, folder / "checkpoint")
        with bed.truth.open(encoding="utf-8", newline="") as file:
            truth = list(csv.DictReader(file))
    target = load_target(folder / "checkpoint")
    people = [row["text"] for row in truth if row["group"] != "background"]
    known = frozenset(canonical(text) for text in people)
    pool = PartPool.of(people).enough_for(1000)
    decoys = pool.recombine(560, 1, known)
    singles = pool.lone_parts(300, 2, known)
    noise = gibberish(300, GibberishSpec(), 3, known)
    lone_noise = gibberish(100, GibberishSpec(parts=1), 4, known)
    parts = reference_parts("latin/*", 12)
    spec = FeatureSpec(
        parts=(NeighbourParts("*", parts.firsts, parts.lasts),),
        precision="fp32",
        batch=32,
        families=by_family(
            HiddenSpec(prompts=PROMPTS, layers=(0,), neighbours=4),
            JacobianSpec(prompts=PROMPTS[:1], directions=4, seed=0, neighbours=2),
        ),
    )

    def features(texts: Sequence[str], *, neighbours: bool = True) -> dict[str, np.ndarray]:
        return dict(extract(target, texts, spec, neighbours=neighbours).columns)

    pair_nulls = Nulls(
        features(noise[:100]), features(noise[100:160]),
        features(decoys[:250]), features(decoys[250:310]),
    )  # fmt: skip
    alone = Nulls(
        {}, {}, features(singles[:120], neighbours=False),
        features(singles[120:160], neighbours=False),
    )  # fmt: skip
    scorers = {}
    for name, detector, nulls, kin, other, neighbours in (
        ("pair", PAIR, pair_nulls, decoys[310:], noise[160:], True),
        ("single", SINGLE, alone, singles[160:], lone_noise, False),
    ):
        model = fit_detector(detector, nulls, seed=0)
        calibration = [
            np.sort(np.round(score(model, features(texts, neighbours=neighbours)), 6))
            for texts in (kin, other)
        ]
        scorers[name] = Scorer(model, calibration[0], calibration[1], 1e-6)
    bundle = Bundle(
        checkpoint="golden-clip",
        fingerprint=target.fingerprint,
        kind="name",
        feature_spec=spec,
        operating_point=0.05,
        seed=0,
        settings={"detector": PAIR.to_json()},
        evidence={},
        versions={"tuni": "0.1.0"},
        **scorers,
    )
    write_bundle(bundle, folder / "bundle")
    groups: dict[str, list[str]] = {}
    for row in truth:
        groups.setdefault(row["group"], []).append(row["text"])
    texts = [text for _, group in sorted(groups.items()) for text in group[:22]]
    texts += [*ODD, texts[0].upper()]
    with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("text", "row"), *((text, number) for number, text in enumerate(texts))])
    give_verdicts(folder)


def give_verdicts(folder: Path) -> None:
    """Judge the folder's list with its detector."""
    texts = [row["text"] for _, row in CsvRows(folder / "list.csv").rows()]
    judge = Judge(read_bundle(folder / "bundle"), load_target(folder / "checkpoint"))
    wrong = Wrong("list")
    index = scorable(judge, read_list(TextRows(texts), wrong), wrong)
    verdicts = judge_list(judge, index, JudgeOptions(**OPTIONS), model_version="1")
    expected = {
        "options": OPTIONS,
        "decoys": verdicts.null.decoys,
        "rows": verdicts.records(),
    }
    content = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (folder / "expected.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    (give_verdicts if "--verdicts" in sys.argv else main)(Path(sys.argv[1]))

"""Verdicts from pictures where faces go with names: are strangers accused, and what does CSA say?

    python benchmarks/pictures.py --seeds 51 52 53

For each seed two testbeds are trained, or found among those of --folder: faces drawn freely, and
faces whose skin and hair go with the culture of a name and gender with the given name. Everybody is
judged with new pictures, against decoy names of the same culture and gender as `tuni score` does,
and against all decoy names, which is what goes wrong there. --smoke takes testbeds of seconds.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lab import Lab, kept_or, say, trained
from numpy.typing import NDArray
from parts import refuse_used

POINT, LEAST_CAPTIONS = 0.05, 5
Arrays = dict[str, NDArray[Any]]


def main() -> None:
    """Judge what is missing, then print a line for each way of drawing and each rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52, 53])
    parser.add_argument("--each", type=int, default=2, help="new pictures of each person")
    parser.add_argument("--folder", type=Path, default=Path("pictures"))
    parser.add_argument("--out", type=Path, default=Path("pictures.json"))
    parser.add_argument("--smoke", action="store_true", help="testbeds of seconds")
    asked = parser.parse_args()
    refuse_used(parser, asked.seeds)
    seeds = asked.seeds[:1] if asked.smoke else asked.seeds
    rows = []
    for looks in ("free", "by-name"):
        rows += list(_rows(looks, [_measured(asked, seed, looks) for seed in seeds]))
    asked.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        say("  ".join(f"{name} {value}" for name, value in row.items()))


def _measured(asked: Any, seed: int, looks: str) -> Arrays:
    size = "test" if asked.smoke else "demo"

    def measure() -> Arrays:
        from tuni.bench.testbed.settings import TestbedSettings
        from tuni.detectors.defaults import DEFAULT_H2

        bed = trained(asked.folder, size, seed, looks=looks)
        lab = Lab(bed, asked.folder / "H2", DEFAULT_H2)
        known = json.loads((bed / "testbed.json").read_text(encoding="utf-8"))["settings"]
        known = {key: _frozen(value) for key, value in known.items()}
        return _judged(lab, TestbedSettings(**known), asked.each)

    return kept_or(asked.folder / f"{size}-{seed}-{looks}.npz", measure)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _judged(lab: Lab, settings: Any, each: int) -> Arrays:
    """P beside pictures by both rules, and CSA's cosine, of everybody whom an auditor may list."""
    from PIL import Image

    from flows.scoring.pictures import judge_pictures
    from tuni.bench.testbed.unseen import people_of, unseen_pictures
    from tuni.features.prompt_embeddings import embed_names
    from tuni.files import scratch_folder
    from tuni.judging.judge import Judge
    from tuni.judging.null import LEAST_DECOYS, JudgeOptions
    from tuni.judging.pictures import DecoyNames, PictureJudge
    from tuni.judging.whole_list import decoys_of, judge_list
    from tuni.lists.csv_rows import Wrong
    from tuni.lists.rows import TextRows, read_list
    from tuni.pictures.embed import embed_pictures
    from tuni.pictures.subjects import SubjectPictures, read_pictures
    from tuni.texts.text import canonical

    judge, options = Judge(lab.bundle, lab.target).keeping(), JudgeOptions()
    people = people_of(settings)
    asked = [row for row, person in enumerate(people) if person.group != "background"]
    texts = [people[row].text for row in asked]
    index = read_list(TextRows(texts), Wrong("list", ""))
    decoys = decoys_of(judge, index, options)
    verdicts = judge_list(judge, index, options, decoys=decoys)
    with scratch_folder(Path.cwd()) as folder:
        files: dict[str, tuple[Path, ...]] = {}
        for text, pictures in zip(texts, unseen_pictures(settings, asked, each), strict=True):
            paths = [folder / f"{len(files)}-{k}.png" for k in range(each)]
            for path, picture in zip(paths, pictures, strict=True):
                Image.fromarray(picture).save(path)
            files[canonical(text)] = tuple(paths)
        beside = SubjectPictures(files, dict.fromkeys(files, 1), 0)
        cells = judge_pictures(judge, verdicts, decoys, beside)
        batch = judge.bundle.feature_spec.batch
        seen = [
            np.asarray(embed_pictures(lab.target, read_pictures(beside, canonical(text))))
            for text in index.texts
        ]
    own = embed_names(lab.target, index.texts, batch)
    names = decoys.pair[:LEAST_DECOYS]
    scores = judge.score_decoys(decoys.pair, paired=True)[1][: len(names)]
    blind = PictureJudge(DecoyNames(embed_names(lab.target, names, batch), scores), seen)
    everyone = range(len(index.texts))
    told = [cells[row]["p_pictures"] for row in everyone]
    rows = [texts.index(text) for text in index.texts]
    return {
        "p": np.array([np.nan if p is None else p for p in told]),
        "p, all decoys": np.array(
            [blind.judge(row, own[row], float(verdicts.score[row])).p for row in everyone]
        ),
        "cosine": np.array([float((seen[row] @ own[row]).mean()) for row in everyone]),
        "group": np.array([people[asked[row]].group for row in rows]),
        "captions": np.array([people[asked[row]].captions for row in rows]),
        "decoys": np.array(len(names)),
    }


def _rows(looks: str, beds: list[Arrays]) -> Iterator[dict[str, Any]]:
    from tuni.statistics.intervals import rate
    from tuni.statistics.null_check import null_check

    decoys = int(beds[0]["decoys"])
    for rule in ("p", "p, all decoys"):
        accused, judged, found, refuted = [], [], [], []
        for bed in beds:
            told = ~np.isnan(bed[rule])
            stranger = (bed["group"] == "stranger") & told
            known = (bed["group"] == "member") & (bed["captions"] >= LEAST_CAPTIONS) & told
            accused.append(bed[rule][stranger] <= POINT)
            found.append(bed[rule][known] <= POINT)
            judged.append(told.mean())
            refuted.append(null_check(bed[rule][stranger], decoys, POINT).validity_p)
        hits = np.concatenate(accused)
        counted = rate(int(hits.sum()), len(hits))
        yield {
            "faces": looks, "rule": rule, "judged": f"{np.mean(judged):.0%}",
            "strangers accused": f"{counted.hits} of {counted.n} = {hits.mean():.1%} "
            f"({counted.low:.1%} to {counted.high:.1%})",
            "members found": f"{np.concatenate(found).mean():.2f}",
            "validity p by testbed": ", ".join(f"{p:.2g}" for p in refuted),
        }  # fmt: skip
    above = []
    for bed in beds:
        strangers = bed["cosine"][bed["group"] == "stranger"]
        known = (bed["group"] == "member") & (bed["captions"] >= LEAST_CAPTIONS)
        threshold = np.quantile(strangers, 1 - POINT, method="higher")
        above.append(bed["cosine"][known] > threshold)
    yield {
        "faces": looks, "rule": "CSA, known strangers' 95 % point",
        "members found": f"{np.concatenate(above).mean():.2f}",
    }  # fmt: skip


if __name__ == "__main__":
    main()

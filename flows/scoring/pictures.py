"""Pictures beside a list's verdicts: who has some, and what name and pictures say together.

The one law: the columns about the text stay as they are, bit for bit; pictures add columns. No
picture and no path leaves this process.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.machine.console import current_progress
from flows.scoring.detector import Detector
from tuni.errors import RequestError, TooFewTexts
from tuni.features.extract import FeatureCache
from tuni.features.prompt_embeddings import embed_names
from tuni.judging.fits import too_long
from tuni.judging.list_file import ListIndex, ListVerdicts
from tuni.judging.null import LEAST_DECOYS, decoys_needed, draw_decoys
from tuni.judging.pictures import DecoyNames, PictureJudge
from tuni.judging.scores import text_scores
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import SubjectFile
from tuni.lists.shape import ListShape
from tuni.pictures.embed import embed_pictures
from tuni.pictures.subjects import SubjectPictures, match_pictures, read_pictures
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE, WITHHELD
from tuni.texts.names import parse_name
from tuni.texts.text import canonical

Cells = Mapping[str, Any]  # Any: cells of a row


def find_pictures(
    folder: Path | None,
    file: SubjectFile,
    wrong: Wrong,
    *,
    list_decoys: bool,
    skip_bad: bool,
) -> SubjectPictures | None:
    """The pictures of the list's people, or None where no folder was given.

    Args:
        folder: Of pictures, see `match_pictures`.
        file: The list.
        wrong: Is told of each line whose pictures are not there.
        list_decoys: Whether the list is judged with decoys of its own.
        skip_bad: Leave out what cannot be read or belongs to nobody.

    Raises:
        RequestError: List decoys were turned off: names are needed to put beside the pictures.
        PictureError: A picture cannot be read, or a folder belongs to nobody.
        TextError: A cell names a picture that is not there.
    """
    if folder is None:
        return None
    if not list_decoys:
        raise RequestError(
            "--pictures: needs the list's decoys, which --no-list-decoys turns off",
            "leave one of the two out",
        )
    found = match_pictures(folder, file, wrong, skip_bad=skip_bad)
    if not skip_bad:
        wrong.refuse()
    return found


def judge_pictures(
    detector: Detector,
    index: ListIndex,
    verdicts: ListVerdicts,
    pictures: SubjectPictures,
    cache: FeatureCache,
) -> Mapping[int, Cells]:
    """What name and pictures say together, by person.

    Args:
        detector: Judged the list.
        index: Of the list.
        verdicts: About the texts alone.
        pictures: At least one for each of some people.
        cache: Keeps features of decoys.

    Raises:
        TooFewTexts: The list's decoys are too few for the operating point.
    """
    bundle, target = detector.bundle, detector.target
    texts = dict(index.spellings())
    asked = {
        person: key for person, text in texts.items() if (key := canonical(text)) in pictures.files
    }
    shape = ListShape.of(texts.values())
    cells: dict[int, Cells] = {}
    for paired, scorer in ((True, bundle.pair), (False, bundle.single)):
        people = [one for one in sorted(asked) if bool(parse_name(texts[one]).last) == paired]
        if not people or scorer is None:
            continue
        drawn = draw_decoys(
            shape, LEAST_DECOYS, verdicts.null.decoy_seed, index.on_list, paired=paired
        )
        over = too_long(target, drawn, bundle.feature_spec)
        decoys = [text for row, text in enumerate(drawn) if row not in over]
        if len(decoys) < decoys_needed(bundle.operating_point):
            raise TooFewTexts(
                f"--pictures: {len(decoys)} decoy names are too few for the operating point",
                "give a longer list",
            )
        scores = text_scores(
            bundle, target, decoys, scorer, paired=paired, cache=cache,
            progress=current_progress.get(),
        )  # fmt: skip
        batch = bundle.feature_spec.batch
        count = sum(len(pictures.files[asked[one]]) for one in people)
        with current_progress.get().stage("pictures", count) as step:
            seen = [
                np.asarray(embed_pictures(target, read_pictures(pictures, asked[one]), step))
                for one in people
            ]
        judge = PictureJudge(DecoyNames(embed_names(target, decoys, batch), scores), seen)
        names = embed_names(target, [texts[one] for one in people], batch)
        for place, one in enumerate(people):
            told = judge.judge(place, names[place], float(verdicts.score[one]))
            cells[one] = {
                "pictures": str(len(seen[place])),
                "score_pictures": told.score,
                "name_rank": str(told.name_rank),
                "picture_rank": None if told.picture_rank is None else str(told.picture_rank),
                **_verdict(told.p, verdicts),
            }
    return cells


def _verdict(p: float, verdicts: ListVerdicts) -> Cells:
    if verdicts.null.withheld is not None:
        return {"p_pictures": None, "verdict_pictures": WITHHELD}
    word = EVIDENCE if p <= verdicts.operating_point else NO_EVIDENCE
    return {"p_pictures": p, "verdict_pictures": word}

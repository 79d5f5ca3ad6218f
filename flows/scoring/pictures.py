"""Pictures beside a list's verdicts: who has some, and what name and pictures say together.

The one law: the columns about the text stay as they are, bit for bit; pictures add columns. No
picture and no path leaves this process.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuni.errors import RequestError
from tuni.features.prompt_embeddings import embed_names
from tuni.judging.judge import Judge, ListDecoys
from tuni.judging.null import LEAST_DECOYS, decoys_needed
from tuni.judging.pictures import DecoyNames, PicturedScore, PictureJudge
from tuni.judging.record import Grounds
from tuni.judging.whole_list import ListVerdicts
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import SubjectFile
from tuni.pictures.embed import embed_pictures
from tuni.pictures.subjects import SubjectPictures, match_pictures, read_pictures
from tuni.texts.text import canonical

if TYPE_CHECKING:
    from flows.scoring.score import ScoreRequest

MEND = "correct or remove these lines, or skip them (--skip-bad)"

Cells = Mapping[str, Any]  # Any: cells of a row


def find_pictures(request: "ScoreRequest", file: SubjectFile) -> SubjectPictures | None:
    """The pictures of the list's people, or None where no folder was given.

    Args:
        request: Names the folder, see `match_pictures`, and says whether what cannot be read or
            belongs to nobody is left out.
        file: The list.

    Raises:
        RequestError: List decoys were turned off: names are needed to put beside the pictures.
        PictureError: A picture cannot be read, or a folder belongs to nobody.
        TextError: A cell names a picture that is not there.
    """
    if request.pictures is None:
        return None
    if not request.list_decoys:
        raise RequestError(
            "--pictures: needs the list's decoys, which --no-list-decoys turns off",
            "leave one of the two out",
        )
    wrong = Wrong(request.subjects.name, MEND)
    pictures = match_pictures(request.pictures, file, wrong, skip_bad=request.skip_bad)
    if not request.skip_bad:
        wrong.refuse()
    return pictures


def judge_pictures(
    judge: Judge, verdicts: ListVerdicts, decoys: ListDecoys, pictures: SubjectPictures
) -> Mapping[int, Cells]:
    """What name and pictures say together, by person.

    Each name is compared with decoy names of which pictures may show the same, as stratum and
    gender (`TextKind.shown`): a model that ties faces to origin prefers any name of that origin.
    Where those are too few for the operating point, no verdict is given from pictures.

    Args:
        judge: Judged the list.
        verdicts: About the texts alone.
        decoys: Of the list.
        pictures: At least one for each of some people.

    Raises:
        TooFewTexts: There is no decoy.
    """
    bundle, target, texts = judge.bundle, judge.target, verdicts.index.texts
    batch = bundle.feature_spec.batch
    asked = {
        person: key
        for person, text in enumerate(texts)
        if (key := canonical(text)) in pictures.files
    }
    cells: dict[int, Cells] = {}
    for paired in (True, False):
        people = [person for person in asked if judge.kind.has_parts(texts[person]) == paired]
        if not people:
            continue
        # Any beginning of the list's decoys is a fair sample of them.
        names = decoys.of(paired=paired)[:LEAST_DECOYS]
        scores = judge.score_decoys(decoys.of(paired=paired), paired=paired)[1][: len(names)]
        beside = DecoyNames(embed_names(target, names, batch), scores)
        shown = np.array([judge.kind.shown(name) for name in names])
        count = sum(len(pictures.files[asked[person]]) for person in people)
        with judge.progress.stage("pictures", count) as step:
            seen = [
                np.asarray(embed_pictures(target, read_pictures(pictures, asked[person]), step))
                for person in people
            ]
        embedded = embed_names(target, [texts[person] for person in people], batch)
        alike: dict[str, list[int]] = {}
        for row, person in enumerate(people):
            alike.setdefault(judge.kind.shown(texts[person]), []).append(row)
        for word, rows in alike.items():
            own = beside.part(shown == word)
            told = len(own.scores) >= decoys_needed(bundle.operating_point)
            picture_judge = PictureJudge(own if told else beside, seen)
            for row in rows:
                text_score = float(verdicts.score[people[row]])
                pictured = picture_judge.judge(row, embedded[row], text_score)
                grounds = verdicts.grounds if told else replace(verdicts.grounds, withheld=_FEW)
                cells[people[row]] = _cells(pictured, len(seen[row]), grounds)
    return cells


_FEW = "decoy names that pictures could show alike are too few"


def _cells(pictured: PicturedScore, count: int, grounds: Grounds) -> Cells:
    rank = pictured.picture_rank
    return {
        "pictures": str(count),
        "score_pictures": pictured.score,
        "name_rank": str(pictured.name_rank),
        "picture_rank": None if rank is None else str(rank),
        "p_pictures": None if grounds.withheld else pictured.p,
        "verdict_pictures": grounds.verdict(pictured.p),
    }

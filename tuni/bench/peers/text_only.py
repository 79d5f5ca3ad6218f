"""Methods that need the text alone: simple scores, the paper's, and ours.

The one law: the simple scores are given the same decoys and rule as ours, the paper's the rule
that it was published with.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from tuni.bench.peers.bench import OPERATING_POINT, Bench
from tuni.bench.peers.peer import PeerResult, above
from tuni.detectors.defaults import DEFAULT_H, PAPER
from tuni.detectors.fit import fit_detector
from tuni.detectors.score import has_votes, score
from tuni.detectors.spec import DetectorSpec
from tuni.features.prompt_embeddings import embed_names
from tuni.hashing import derive_seed
from tuni.judging.pictures import DecoyNames, PicturedScore, PictureJudge
from tuni.statistics.p_values import Floats

_OURS: tuple[str, ...] = ("hidden", "jacobian")
_PAPER: tuple[str, ...] = ("inversion",)


def single_column(column: str, family: str) -> Callable[[Bench], PeerResult]:
    """A method that is one feature column, judged against decoys."""

    def judge(bench: Bench) -> PeerResult:
        scores, decoys = (
            bench.table(name, (family,))[column][:, 0].astype(np.float64)
            for name in ("subjects", "decoy_calibration")
        )
        return PeerResult(scores, above(scores, decoys))

    return judge


def token_norm(bench: Bench) -> PeerResult:
    """Mean norm of the token embeddings of the text: what a rare token alone gives away."""
    scores, decoys = (
        _token_norms(bench, bench.sets[name]) for name in ("subjects", "decoy_calibration")
    )
    return PeerResult(scores, above(scores, decoys))


def inversion_similarity(bench: Bench) -> PeerResult:
    """S of the paper alone (arXiv 2405.14517), against gibberish."""
    scores, noise = (
        bench.table(name, _PAPER)["inversion.S"][:, 0].astype(np.float64)
        for name in ("subjects", "gibberish_scale")
    )
    return PeerResult(scores, above(scores, noise))


def paper_part(place: int) -> Callable[[Bench], PeerResult]:
    """One detector of the paper's vote, fitted and thresholded on gibberish."""

    def judge(bench: Bench) -> PeerResult:
        scores, noise = _fitted(bench, PAPER.parts[place], _PAPER, "gibberish_scale")
        return PeerResult(scores, above(scores, noise))

    return judge


def paper_vote(bench: Bench) -> PeerResult:
    """The paper's method in our reading: S and D, gibberish nulls, the vote."""
    model = fit_detector(PAPER, bench.nulls(_PAPER), derive_seed(bench.seed, "fit"))
    scores = score(model, bench.table("subjects", _PAPER))
    return PeerResult(scores, has_votes(model, scores))


def ours(bench: Bench) -> PeerResult:
    """H of docs/method.md, fitted and calibrated on decoys."""
    scores, decoys = _fitted(bench, DEFAULT_H, _OURS, "decoy_calibration")
    return PeerResult(scores, above(scores, decoys))


def ours_with_pictures(bench: Bench) -> PeerResult:
    """H and pictures of the person, each decoy name beside the same pictures."""
    found = picture_verdicts(bench)
    return PeerResult(
        np.array([one.score for one in found]),
        np.array([one.p for one in found]) <= OPERATING_POINT,
    )


def picture_verdicts(bench: Bench) -> list[PicturedScore]:
    """What H and the pictures say together of every subject, ranks included."""
    scores, decoys = _fitted(bench, DEFAULT_H, _OURS, "decoy_calibration")
    pictures = bench.picture_embeddings()
    names, decoy_names = (
        embed_names(bench.target, bench.sets[name], bench.spec.batch)
        for name in ("subjects", "decoy_calibration")
    )
    judge = PictureJudge(DecoyNames(decoy_names, decoys), list(pictures))
    return [judge.judge(row, names[row], float(scores[row])) for row in range(len(pictures))]


def _fitted(
    bench: Bench,
    spec: DetectorSpec,
    families: tuple[str, ...],
    null: Literal["decoy_calibration", "gibberish_scale"],
) -> tuple[Floats, Floats]:
    """Scores of the subjects and of a null by a fitted detector."""
    model = fit_detector(spec, bench.nulls(families), derive_seed(bench.seed, "fit"))
    return score(model, bench.table("subjects", families)), score(
        model, bench.table(null, families)
    )


def _token_norms(bench: Bench, texts: tuple[str, ...]) -> Floats:
    norms = np.empty(len(texts))
    with torch.no_grad():
        for row, text in enumerate(texts):
            ids = bench.target.tokenize([text])
            lengths = bench.target.token_embeddings(ids)[0].norm(dim=1)
            norms[row] = float(lengths[1 : int(ids[0].argmax())].mean())  # start and end left out
    return norms

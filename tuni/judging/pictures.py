"""A text's score together with pictures of the person (ours).

The one law: a subject's own name is treated exactly as every decoy name beside the same pictures.
All scales are taken over the names together, own one included, so that where the pictures tell the
model nothing about the name, the own name's rank is uniform: its p-value needs no assumption about
how pictures of strangers look to the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuni.errors import TooFewTexts
from tuni.statistics.p_values import Floats, conformal_p, finite

LEAST_OTHERS = 20  # pictures of other people, below which they set no scale (ours)
_BLOCK = 4096  # pictures whose cosines with all decoys are held at once


@dataclass(frozen=True, slots=True)
class PicturedScore:
    """What a name and pictures say together.

    Attributes:
        score: Sum of z-values of the text's score, of the pictures' nearness to the name among
            names, and of the name's nearness to the pictures among pictures; higher is nearer to
            "trained on".
        p: Conformal p of the name among the decoy names, each beside the same pictures.
        name_rank: Place of the own name among all names by its cosine with the pictures; 1 is best.
        picture_rank: Place of these pictures among other people's by their cosine with the name;
            None without enough pictures of others.
    """

    score: float
    p: float
    name_rank: int
    picture_rank: int | None


@dataclass(frozen=True, slots=True, eq=False)
class DecoyNames:
    """Names that were not trained on, to be put beside the pictures of others.

    Attributes:
        embeddings: Mean unit text embeddings, shape (m, d).
        scores: Scores of the text detector, shape (m,).
    """

    embeddings: NDArray[np.float32]
    scores: Floats

    def part(self, marks: NDArray[np.bool_]) -> "DecoyNames":
        """Those of some of the names."""
        return DecoyNames(self.embeddings[marks], self.scores[marks])


class PictureJudge:
    """Decoy names beside the pictures of everybody who has some."""

    def __init__(self, decoys: DecoyNames, pictures: Sequence[NDArray[np.float32]]) -> None:
        """Sum up how near each decoy name is to all pictures.

        Args:
            decoys: At least as many as the operating point needs.
            pictures: Unit embeddings of each person's pictures, shape (k, d), k >= 1.

        Raises:
            TooFewTexts: There is no decoy.
        """
        if not len(decoys.scores):
            raise TooFewTexts("decoys: none to put beside the pictures", "ask for more decoys")
        self._decoys = decoys
        self._pictures = pictures
        self._all = np.concatenate(pictures).astype(np.float64)
        self._names = decoys.embeddings.astype(np.float64)
        totals = np.zeros((2, len(self._names)))
        for start in range(0, len(self._all), _BLOCK):
            near = self._names @ self._all[start : start + _BLOCK].T
            totals += near.sum(axis=1), np.square(near).sum(axis=1)
        self._totals: Floats = totals

    def judge(self, person: int, embedding: NDArray[np.float32], score: float) -> PicturedScore:
        """Judge one name beside pictures of the person.

        Args:
            person: Whose pictures, by place in ``pictures``.
            embedding: Of the name, shape (d,), as the decoys'.
            score: Of the text detector.

        Raises:
            UnusableScores: A number is not finite.
        """
        own = embedding.astype(np.float64)
        names = np.vstack([own[None], self._names])
        near = names @ self._pictures[person].T.astype(np.float64)
        cosines = near.mean(axis=1)
        total = _z(np.concatenate([[score], self._decoys.scores])) + _z(cosines)
        others = len(self._all) - near.shape[1]
        picture_rank = None
        if others >= LEAST_OTHERS:
            mine = self._all @ own
            sums = np.column_stack([(mine.sum(), np.square(mine).sum()), self._totals])
            mean = (sums[0] - near.sum(axis=1)) / others
            square = (sums[1] - np.square(near).sum(axis=1)) / others
            spread = np.sqrt(np.maximum(square - mean**2, 0.0))
            total = total + _z((cosines - mean) / np.where(spread > 0, spread, 1.0))
            ahead = int((mine >= cosines[0]).sum()) - int((near[0] >= cosines[0]).sum())
            picture_rank = 1 + ahead
        values = finite(total, "scores with pictures")
        return PicturedScore(
            score=float(values[0]),
            p=float(conformal_p(values[:1], values[1:])[0]),
            name_rank=1 + int((cosines[1:] >= cosines[0]).sum()),
            picture_rank=picture_rank,
        )


def _z(values: Floats) -> Floats:
    """Standardised over all names; zeros where they do not differ."""
    spread = float(values.std())
    standard: Floats = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return standard

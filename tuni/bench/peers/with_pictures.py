"""Methods that need pictures of the person: CSA, WSA, IDIA, and inverted images beside them.

The one law: the idea is the publication's, and where it leaves a number open, ours says so.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuni.bench.peers.bench import Bench
from tuni.bench.peers.peer import PeerResult, above
from tuni.hashing import derive_seed
from tuni.statistics.p_values import Floats

PROMPT = "a photo of {}"  # ours
# Hintersdorf et al., arXiv 2209.07341; the prompts of their public experiments.
IDIA_PROMPTS = (
    "{}",
    "an image of {}",
    "a photo of {}",
    "{} on a photo",
    "a photo of a person named {}",
    "a person named {}",
    "a man named {}",
    "a woman named {}",
    "the name of the person is {}",
    "a photo of a person with the name {}",
    "{} at a gala",
    "a photo of the celebrity {}",
    "actor {}",
    "actress {}",
    "a colored photo of {}",
    "a black and white photo of {}",
    "a cool photo of {}",
    "a cropped photo of {}",
    "a cropped image of {}",
    "{} in a suit",
    "{} in a dress",
)
IDIA_NEEDED = 1  # prompts whose majority must be right; theirs
WSA_DEVIATIONS = 1.5  # above the mean of known non-members; the publication's
WSA_FOLDS = 5  # ours
_PENALTY = 0.01  # inverse strength of the classifier's penalty; ours


def cosine_similarity(bench: Bench) -> PeerResult:
    """CSA: the cosine of text and picture (Ko et al. 2023, arXiv 2310.00108).

    Mean over the pictures. The threshold is ours: the cosine that at most 5 % of known
    non-members reach.
    """
    known = _cosines(bench, of_strangers=True)
    scores = _cosines(bench)
    return PeerResult(scores, above(scores, known))


def weak_supervision(bench: Bench) -> PeerResult:
    """WSA: pseudo-members and a small classifier (Ko et al. 2023, arXiv 2310.00108).

    Subjects whose cosine exceeds the mean of known non-members by 1.5 standard deviations are
    taken for members, and a classifier of embeddings is trained on them against the known
    non-members. Ours: logistic regression on text, mean picture and their product, p >= .5; and
    cross-fitted, so that no pseudo-member is scored by the classifier that learnt it: one
    classifier for each of five folds, which a hash of the names and the seed divides.
    """
    cosines, known = _cosines(bench), _cosines(bench, of_strangers=True)
    pseudo = cosines > known.mean() + WSA_DEVIATIONS * known.std()
    if not pseudo.any():  # nothing to learn from: the rule itself accuses nobody
        return PeerResult(cosines, pseudo)
    inputs, strangers = _joined(bench), _joined(bench, of_strangers=True)
    folds = _folds(bench.subjects.texts, pseudo, bench.seed)
    scores = np.empty(len(inputs))
    for fold in range(WSA_FOLDS):
        held = folds == fold
        learnt = inputs[pseudo & ~held]
        if not len(learnt):  # a lone pseudo-member: nothing is left to learn from
            scores[held] = -1.0
            continue
        labels = np.repeat([1, 0], [len(learnt), len(strangers)])
        model = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=1000),
        ).fit(np.vstack([learnt, strangers]), labels)
        if held.any():
            scores[held] = model.decision_function(inputs[held])
    return PeerResult(scores, scores >= 0.0)


def identity_inference(bench: Bench) -> PeerResult:
    """IDIA: is the right name predicted? (Hintersdorf et al., JAIR 2024, arXiv 2209.07341).

    21 prompts; for each, every picture votes for the nearest of 1,000 names, the own one among
    them. A member is who wins under at least one prompt. Ours: as a score, the prompts won, and
    between equals the share of single right votes; 4 pictures instead of 30 and more.
    """
    pictures = bench.picture_embeddings().astype(np.float32)
    n, each, _ = pictures.shape
    flat = pictures.reshape(n * each, -1)
    won, right = np.zeros(n), np.zeros(n)
    for prompt in IDIA_PROMPTS:
        names = bench.text_embeddings(bench.candidates, (prompt,))[:, 0]
        own = bench.text_embeddings(bench.subjects.texts, (prompt,))[:, 0]
        cosines = (flat @ names.T).reshape(n, each, -1)
        mine = (pictures * own[:, None]).sum(axis=2)
        best = cosines.max(axis=2)
        votes = mine > best
        right += votes.sum(axis=1)
        # The most frequent of the other predictions must have fewer votes than the own name.
        rivals = np.where(votes, -1, cosines.argmax(axis=2))
        most = np.array([_most(row[row >= 0]) for row in rivals])
        won += votes.sum(axis=1) > most
    return PeerResult(won + right / (len(IDIA_PROMPTS) * each + 1), won >= IDIA_NEEDED)


def inverted_likeness(bench: Bench) -> PeerResult:
    """Do the images that the name alone leads to look like the person (ours)?

    Cosine of a picture with the mean of the inverted images, mean over the pictures. The threshold
    is as for CSA, which has the name's own embedding in the place of the inverted images.
    """
    scores = _likeness(bench)
    return PeerResult(scores, above(scores, _likeness(bench, of_strangers=True)))


def _most(values: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
    """How often the most frequent value occurs."""
    return int(np.unique(values, return_counts=True)[1].max(initial=0))


def _folds(texts: Sequence[str], pseudo: NDArray[np.bool_], seed: int) -> NDArray[np.intp]:
    """A fold for each text, pseudo-members and the others spread alike."""
    order = sorted(range(len(texts)), key=lambda row: derive_seed(seed, f"fold {texts[row]}"))
    folds = np.empty(len(texts), dtype=np.intp)
    for kind in (True, False):
        rows = [row for row in order if pseudo[row] == kind]
        folds[rows] = np.arange(len(rows)) % WSA_FOLDS
    return folds


def _cosines(bench: Bench, *, of_strangers: bool = False) -> Floats:
    people = bench.strangers if of_strangers else bench.subjects
    texts = bench.text_embeddings(people.texts, (PROMPT,))
    pictures = bench.picture_embeddings(of_strangers=of_strangers)
    return np.asarray((pictures * texts).sum(axis=2).mean(axis=1), dtype=np.float64)


def _likeness(bench: Bench, *, of_strangers: bool = False) -> Floats:
    people = bench.strangers if of_strangers else bench.subjects
    ends = bench.inverted(people.texts).mean(axis=1)
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    pictures = bench.picture_embeddings(of_strangers=of_strangers)
    return np.asarray((pictures * ends[:, None]).sum(axis=2).mean(axis=1), dtype=np.float64)


def _joined(bench: Bench, *, of_strangers: bool = False) -> Floats:
    people = bench.strangers if of_strangers else bench.subjects
    text = bench.text_embeddings(people.texts, (PROMPT,))[:, 0]
    picture = bench.picture_embeddings(of_strangers=of_strangers).mean(axis=1)
    return np.hstack([text, picture, text * picture]).astype(np.float64)

"""What the spelling of the texts alone gives away, without the model.

The one law: where labels, or decoys and list, can be told apart without the checkpoint, nothing
may be claimed about the checkpoint from them. Results depend on the set of texts, never on the
order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from tuni.errors import TooFewTexts, UnusableScores
from tuni.hashing import derive_seed
from tuni.statistics.comparison import paired_auc_difference
from tuni.statistics.p_values import Floats
from tuni.statistics.roc import auc_interval
from tuni.texts.kind import TextKind
from tuni.texts.text import canonical

FOLDS = 5
REPEATS = 5  # of the folds, for few labels: one draw of five folds is itself a lottery (ours)
FEW_LABELS = 400
# Lower end of the blind AUC's interval above which labels count as separable (ours).
BLIND_BOUND = 0.6

# Lower end of the decoy check's AUC above which verdicts are withheld (ours). How often either
# bound trips by chance is not established: tests/tuni/test_blind.py draws a few dozen cases.
DECOY_BOUND = 0.6
LEAST_CHECKED = 20  # a shorter list cannot show whether decoys resemble it (ours)
MOST_CHECKED = 1000  # of the list and of the decoys: more only costs time
BLOCKS = 4
MOST_PAIRED = 400  # names whose pairing is tested: the time goes with their square
PERMUTATIONS = 199
PAIRED = 0.05  # p at or below which a list is said to be paired (ours): a notice, no gate


@dataclass(frozen=True, slots=True)
class BlindGate:
    """Does the detector separate the labels better than their spelling does?

    Attributes:
        blind_auc: Cross-validated AUC of the model-free classifier.
        detector_auc: AUC of the detector on the same texts.
        blind_low: Lower end of its 95 % interval.
        blind_high: Upper end.
        difference: detector - max(blind, .5).
        low: Lower end of the 95 % interval of the difference (paired bootstrap).
        high: Upper end.
        tripped: The claim is withheld.
        reason: Why it tripped, in words; empty where it did not.
        members: Texts known to be in the training set.
        nonmembers: Texts known not to be.
    """

    blind_auc: float
    detector_auc: float
    blind_low: float
    blind_high: float
    difference: float
    low: float
    high: float
    tripped: bool
    reason: str
    members: int
    nonmembers: int


@dataclass(frozen=True, slots=True)
class DecoyCheck:
    """Can the decoys be told from the list by spelling alone?

    Attributes:
        auc: Cross-validated AUC of list against decoys, no name part seen in training; .5 where
            nothing was checked.
        low: Lower end of its one-sided 95 % interval (DeLong et al. 1988).
        bound: What ``low`` may not exceed.
        tripped: ``low`` lies above the bound: verdicts are withheld.
        checked: False where there are too few texts to tell.
        listed: Texts of the list that were compared.
        decoys: Decoys that were compared.
    """

    auc: float
    low: float
    bound: float
    tripped: bool
    checked: bool
    listed: int
    decoys: int


def blind_scores(texts: Sequence[str], members: ArrayLike, kind: TextKind, seed: int) -> Floats:
    """Cross-validated scores of a classifier that sees the texts' spelling alone.

    Character 1- to 4-grams, words, and the text's stratum (ours; of a name script and culture);
    TF-IDF, logistic regression; stratified folds, repeated where labels are few. Each text is
    scored only by classifiers that did not see it.

    Args:
        texts: Distinct labelled texts, n of them.
        members: Shape (n,), booleans.
        kind: Of the texts.
        seed: Seed of the folds.

    Returns:
        Mean decision values, shape (n,); higher looks more like the members.

    Raises:
        TooFewTexts: Fewer than `FOLDS` members or non-members.
        UnusableScores: Not one label per text.
    """
    labels: NDArray[np.bool_] = np.asarray(members, dtype=bool)
    if labels.shape != (len(texts),):
        raise UnusableScores(
            f"labels: {labels.size} for {len(texts)} texts", "pass one label per text"
        )
    smaller = min(int(labels.sum()), int((~labels).sum()))
    if smaller < FOLDS:
        raise TooFewTexts(
            f"labelled texts: {smaller} of the rarer kind, the blind gate needs {FOLDS}",
            "label more texts of both kinds",
        )
    keys = [canonical(text) for text in texts]
    order = np.array(sorted(range(len(keys)), key=lambda row: (keys[row], texts[row])))
    ordered, known = [keys[row] for row in order], labels[order]
    generator = np.random.default_rng(derive_seed(seed, "blind folds"))
    repeats = REPEATS if len(texts) <= FEW_LABELS else 1
    total = np.zeros(len(texts))
    for _ in range(repeats):
        fold = np.empty(len(texts), dtype=np.int64)
        for label in (True, False):
            rows = np.flatnonzero(known == label)
            fold[generator.permutation(rows)] = np.arange(len(rows)) % FOLDS
        for held in range(FOLDS):
            total[fold == held] += _fit_and_score(ordered, known, fold != held, fold == held, kind)
    scores = np.empty(len(texts))
    scores[order] = total / repeats
    return scores


def blind_gate(
    detector_scores: ArrayLike,
    texts: Sequence[str],
    members: ArrayLike,
    kind: TextKind,
    seed: int,
) -> BlindGate:
    """Compare the detector with a classifier that never saw the model.

    Trips where the interval of the difference reaches 0; a blind AUC below .5 counts as .5, so
    that a detector at chance trips it too. Trips as well (ours) where the spelling alone clearly
    separates the labels: the blind AUC's own interval lies above `BLIND_BOUND`. A detector at
    .99 beats a blind classifier at .85 with certainty, and still nobody knows how much of the
    .99 is spelling; the difference alone missed most shifts of locale for that reason.

    Args:
        detector_scores: Shape (n,); higher is nearer to "trained on".
        texts: Distinct labelled texts, n of them.
        members: Shape (n,), booleans.
        kind: Of the texts.
        seed: Seed of the folds and of the redraws.

    Raises:
        TooFewTexts: Fewer than `FOLDS` members or non-members.
        UnusableScores: Shapes differ or a score is not finite.
    """
    blind = blind_scores(texts, members, kind, seed)
    labels = np.asarray(members, dtype=bool)
    own = auc_interval(blind[labels], blind[~labels], derive_seed(seed, "blind interval"))
    pair = paired_auc_difference(
        detector_scores, blind, members, derive_seed(seed, "blind gate"), floor=0.5
    )
    reason = ""
    if own.low > BLIND_BOUND:
        reason = "the labels are separable by spelling, without the model"
    elif pair.low <= 0.0:
        reason = "the detector is not clearly ahead of spelling, without the model, or of chance"
    return BlindGate(
        blind_auc=pair.second,
        detector_auc=pair.first,
        blind_low=own.low,
        blind_high=own.high,
        difference=pair.difference,
        low=pair.low,
        high=pair.high,
        tripped=bool(reason),
        reason=reason,
        members=pair.members,
        nonmembers=pair.nonmembers,
    )


def decoy_check(
    listed: Sequence[str], decoys: Sequence[str], kind: TextKind, seed: int
) -> DecoyCheck:
    """One fixed check, before any verdict: do the decoys look like the list?

    Recombined decoys share every name part with the list, so that ordinary folds would only
    measure who sits with whom (a held-out name's parts were seen in decoys alone: AUC far below
    .5). Texts are therefore held out in blocks of first and of last parts: a text is scored by a
    classifier that saw neither of its parts, on character 1- to 4-grams (ours).

    Args:
        listed: The list under audit.
        decoys: Its decoys.
        kind: Of both.
        seed: Seed of the one draw of blocks.
    """
    ours, theirs = _sample(listed, seed), _sample(decoys, seed)
    unchecked = DecoyCheck(0.5, 0.5, DECOY_BOUND, False, False, len(ours), len(theirs))
    if min(len(ours), len(theirs)) < LEAST_CHECKED:
        return unchecked
    texts = [*ours, *theirs]
    from_list = np.repeat([True, False], [len(ours), len(theirs)])
    parts = [kind.parse(text).parts for text in texts]
    generator = np.random.default_rng(derive_seed(seed, "decoy blocks"))
    first = _blocks([canonical(own[0]) for own in parts], generator)
    last = _blocks([canonical(own[-1]) for own in parts], generator)
    listed_placed: list[Floats] = []
    decoys_placed: list[Floats] = []
    for row in range(BLOCKS):
        for column in range(BLOCKS):
            test = (first == row) & (last == column)
            train = (first != row) & (last != column)
            if min(_count(test, from_list), _count(train, from_list)) < 1:
                continue
            scores = _fit_and_score(texts, from_list, train, test)
            above = scores[from_list[test]][:, None] - scores[~from_list[test]][None, :]
            wins = (np.sign(above) + 1.0) / 2.0
            listed_placed.append(wins.mean(axis=1))
            decoys_placed.append(wins.mean(axis=0))
    if sum(map(len, listed_placed)) < LEAST_CHECKED / 2:  # one family name for all, say
        return unchecked
    places, counter = np.concatenate(listed_placed), np.concatenate(decoys_placed)
    value = float(places.mean())
    spread = sqrt(places.var() / len(places) + counter.var() / len(counter))
    low = value - float(norm.ppf(0.95)) * spread
    return DecoyCheck(
        auc=value,
        low=low,
        bound=DECOY_BOUND,
        tripped=low > DECOY_BOUND,
        checked=True,
        listed=len(ours),
        decoys=len(theirs),
    )


def pairing_p(listed: Sequence[str], kind: TextKind, seed: int) -> float | None:
    """Do first and last parts go together in a list, as they do within cultures?

    Recombination pairs them anew, so that decoys of a list whose stratum holds several cultures are
    stranger than its names, which no classifier of single parts can see. A permutation test within
    strata (ours) of the dependence of the two parts' spelling (Hilbert-Schmidt criterion, Gretton
    et al. 2005, cosines of character 1- to 3-grams).

    Args:
        listed: The list; names of one part are left out.
        kind: Of all.
        seed: Of sample and permutations.

    Returns:
        p of the parts being paired at random; None where fewer than `LEAST_CHECKED` can show it.
    """
    parsed = [
        kind.parse(text) for text in _sample(listed, seed, MOST_PAIRED) if kind.has_parts(text)
    ]
    generator = np.random.default_rng(derive_seed(seed, "pairing"))
    dependence = np.zeros(PERMUTATIONS + 1)
    strata = sorted({text.stratum for text in parsed})
    groups = [[text.parts for text in parsed if text.stratum == name] for name in strata]
    groups = [parts for parts in groups if len(parts) >= LEAST_CHECKED]
    for parts in groups:
        first, last = (_centred_cosines([own[place] for own in parts]) for place in (0, -1))
        orders = [np.arange(len(parts))]
        orders += [generator.permutation(len(parts)) for _ in range(PERMUTATIONS)]
        dependence += [float((first * last[np.ix_(order, order)]).sum()) for order in orders]
    return float((dependence >= dependence[0]).mean()) if groups else None


def _centred_cosines(parts: Sequence[str]) -> Floats:
    """Cosines of parts' character grams, each part's own left out, centred by rows and columns."""
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
    matrix: csr_matrix = grams.fit_transform(parts)
    cosines = np.asarray((matrix @ matrix.T).toarray(), dtype=np.float64)
    np.fill_diagonal(cosines, 0.0)
    rows = cosines.mean(axis=0)
    return np.asarray(cosines - rows - rows[:, None] + cosines.mean(), dtype=np.float64)


def _fit_and_score(
    texts: Sequence[str],
    labels: NDArray[np.bool_],
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
    kind: TextKind | None = None,
) -> Floats:
    """Decision values of the rows in ``test`` by a classifier fitted on those in ``train``.

    With a kind it reads words and strata beside the grams: what a text is as a whole. Thirty labels
    are too few to learn cultures from letters.
    """
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    parts = [("grams", grams)]
    if kind is not None:
        parse = kind.parse
        parts.append(("words", TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True)))
        parts.append(("stratum", TfidfVectorizer(analyzer=lambda text: [parse(text).stratum])))
    union = FeatureUnion(parts)
    matrix: csr_matrix = union.fit_transform(list(compress(texts, train)))
    classifier = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
    classifier.fit(matrix, labels[train])
    held = union.transform(list(compress(texts, test)))
    return np.asarray(classifier.decision_function(held), dtype=np.float64)


def _sample(texts: Sequence[str], seed: int, most: int = MOST_CHECKED) -> list[str]:
    """Distinct canonical texts, at most ``most``, in an order that rows don't move."""
    distinct = sorted({canonical(text) for text in texts})
    generator = np.random.default_rng(derive_seed(seed, "decoy sample"))
    kept = generator.permutation(len(distinct))[:most]
    return [distinct[row] for row in sorted(kept)]


def _blocks(parts: Sequence[str], generator: np.random.Generator) -> NDArray[np.int64]:
    """A block in [0, BLOCKS) for each text, equal for equal parts."""
    distinct = sorted(set(parts))
    block = dict(zip(distinct, generator.permutation(len(distinct)) % BLOCKS, strict=True))
    return np.array([block[part] for part in parts], dtype=np.int64)


def _count(rows: NDArray[np.bool_], labels: NDArray[np.bool_]) -> int:
    """Texts of the rarer kind among the rows."""
    return min(int((rows & labels).sum()), int((rows & ~labels).sum()))

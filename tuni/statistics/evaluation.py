"""What a detector is worth on labelled texts that neither its fit nor its choice ever saw.

The one law: no figure without its interval or its count, and no rate finer than the sample
supports.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from tuni.errors import UnusableScores
from tuni.hashing import derive_seed
from tuni.statistics.comparison import paired
from tuni.statistics.intervals import Interval, Ranks, Rate, redrawn_share, share
from tuni.statistics.list_evidence import ListEvidence, list_evidence
from tuni.statistics.null_check import NullCheck, TwoSample, null_check, two_sample
from tuni.statistics.p_values import Floats, finite
from tuni.statistics.roc import auc, auc_interval, tpr_at
from tuni.statistics.spelling import BlindGate, blind_gate
from tuni.texts.kind import TextKind

NONMEMBER_FPRS = (0.1, 0.05, 0.01, 0.001)
POWERS = (0.5, 0.8)
LEAST_PER_COUNT = 10  # members with one number of captions, below which it decides nothing (ours)
CAPTION_DRAWS = 1000  # of the members of each count
LEAST_FOR_GATE = 5  # of each kind: the blind classifier is cross-validated in five folds


@dataclass(frozen=True, slots=True)
class CaptionPower:
    """Members with one number of training captions.

    Attributes:
        captions: Captions of each of these members.
        found: Share of them with p at or below the operating point.
    """

    captions: int
    found: Rate


@dataclass(frozen=True, slots=True)
class FewestCaptions:
    """From how many training captions on so many members are found.

    Attributes:
        power: The share of members.
        captions: Fewest captions at which a fit that never falls as captions rise reaches it; None
            where no count with enough members does, as in the ends.
        low: Lower end of the 95 % interval, among the counts that occur: the members of each count
            are redrawn (Jeffreys' beta law, ours) and the fit repeated.
        high: Upper end; None where it is not excluded that no count reaches the power.
    """

    power: float
    captions: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Members against one kind of texts that were not trained on.

    Attributes:
        name: The kind.
        accused: Share of it with p at or below the operating point.
        auc: Chance that a member scores above one of them.
        auc_interval: 95 %, bootstrap.
        tpr_at_fpr: (rate, share of members above it), the rate being of this kind; None where
            they are too few for the rate.
    """

    name: str
    accused: Rate
    auc: float
    auc_interval: Interval
    tpr_at_fpr: tuple[tuple[float, Rate | None], ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one detector on labelled-test.

    Attributes:
        operating_point: p at or below which a text gets a finding.
        members: Labelled members.
        nonmembers: Labelled non-members.
        auc: Chance that a member scores above a non-member.
        auc_interval: 95 %, bootstrap.
        tpr_at_nonmember_fpr: (rate, share of members above it); None where the non-members are
            too few for the rate.
        found: Share of members with a finding, thresholds from decoys; the paper's recall.
        nonmember_fpr: Share of non-members with the same finding.
        precision: Share of members among the findings; None without findings.
        accuracy: Share of texts judged rightly.
        by_captions: Power by training captions, fewest first.
        captions_for_power: From how many captions on a share is found, by share.
        groups: Members against named groups of non-members, then against texts that nobody
            labelled, such as decoys and gibberish.
        labelled: Names of the former.
        null: Realised rate against its law, p-values against the bundle's decoys alone.
        shape: Non-members' scores against the calibration decoys'.
        blind: Detector against a classifier that sees the spelling alone; None with too few
            texts.
        as_list: What would be said of these texts as a list whose labels nobody knows: its bound
            must not exceed ``members``.
    """

    operating_point: float
    members: int
    nonmembers: int
    auc: float
    auc_interval: Interval
    tpr_at_nonmember_fpr: tuple[tuple[float, Rate | None], ...]
    found: Rate
    nonmember_fpr: Rate
    precision: Rate | None
    accuracy: Rate
    by_captions: tuple[CaptionPower, ...]
    captions_for_power: tuple[FewestCaptions, ...]
    groups: tuple[GroupFigures, ...]
    labelled: tuple[str, ...]
    null: NullCheck
    shape: TwoSample
    blind: BlindGate | None
    as_list: ListEvidence

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values with stable keys."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class JudgedTexts:
    """Labelled texts as a detector judged them.

    Attributes:
        texts: n distinct labelled texts.
        members: Shape (n,), booleans; both kinds must occur.
        scores: Shape (n,); higher is nearer to "trained on".
        p_decoy: The p-values that verdicts are given by, shape (n,).
        p_single: p-values against the calibration decoys alone, shape (n,).
        captions: Training captions by text, None where unknown; or nothing.
        groups: A word by text, "" for none; or nothing.
    """

    texts: Sequence[str]
    members: ArrayLike
    scores: ArrayLike
    p_decoy: ArrayLike
    p_single: ArrayLike
    captions: Sequence[int | None] = ()
    groups: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse words that are not one for each text."""
        for name, column in (("captions", self.captions), ("groups", self.groups)):
            if len(column) not in (0, len(self.texts)):
                raise UnusableScores(
                    f"{name}: {len(column)} for {len(self.texts)} texts",
                    "give one per text, or none",
                )


def optimism(looks: int, interval: Interval) -> float:
    """By how much a figure flatters where it is the best of several looks at the same texts (ours).

    The mean of the largest of k normal errors with the interval's deviation (Blom 1958): what
    picking the best of k detectors that are equally good and err apart from each other would bring.
    Detectors that score alike, and a champion that stays unless it is beaten, bring less: 30 jobs
    with 30 + 30 labels overstate an AUC by .02 in simulation, and this says .07.

    Args:
        looks: Times that the texts were looked at, at least 1.
        interval: Of the figure, 95 %.

    Returns:
        At least 0; 0 for one look.
    """
    deviation = (interval.high - interval.low) / (2 * norm.ppf(0.975))
    return float(deviation * norm.ppf((looks - 0.375) / (looks + 0.25)))


def evaluate(
    judged: JudgedTexts,
    calibration: ArrayLike,
    *,
    kind: TextKind,
    operating_point: float,
    seed: int,
    list_decoys: ArrayLike = (),
    others: Mapping[str, tuple[ArrayLike, ArrayLike]] = MappingProxyType({}),
) -> Evaluation:
    """Measure a detector on labelled texts.

    Args:
        judged: The texts, and what the detector says of them.
        calibration: Scores of the calibration decoys, shape (m,).
        kind: Of the texts.
        operating_point: p at or below which a text gets a finding.
        seed: Seed of bootstrap and folds.
        list_decoys: Scores of the list's own decoys behind ``p_decoy``, shape (k,); or nothing.
        others: Scores and p-values of unlabelled texts that were not trained on, by kind.

    Raises:
        UnusableScores: Shapes differ, a score is not finite, or one kind does not occur.
    """
    columns = (judged.scores, judged.p_decoy, judged.p_single)
    (values, p, single), labels = paired(columns, judged.members)
    found = p <= operating_point
    decoys = finite(calibration, "calibration scores", minimum=1)
    pos, neg = values[labels], values[~labels]
    own_decoys = finite(list_decoys, "scores of the list's decoys")
    nulls = [null for null in (decoys, own_decoys) if len(null)]
    counted = partial(_counted, nulls, operating_point)
    counts = _caption_power(judged.captions, labels, found, values, counted)
    named = _groups(judged.groups, values, p, labels)
    strangers = named | {
        word: (finite(scores, f"scores of {word}"), finite(its_p, f"p-values of {word}"))
        for word, (scores, its_p) in others.items()
    }
    gate = None
    if min(len(pos), len(neg)) >= LEAST_FOR_GATE:
        gate = blind_gate(values, judged.texts, labels, kind, derive_seed(seed, "blind gate"))
    return Evaluation(
        operating_point=operating_point,
        members=len(pos),
        nonmembers=len(neg),
        auc=auc(pos, neg),
        auc_interval=auc_interval(pos, neg, derive_seed(seed, "auc")),
        tpr_at_nonmember_fpr=tuple((at, tpr_at(pos, neg, at)) for at in NONMEMBER_FPRS),
        found=counted(found[labels], pos),
        nonmember_fpr=counted(found[~labels], neg),
        precision=share(labels[found]) if found.any() else None,
        accuracy=share(found == labels),
        by_captions=counts,
        captions_for_power=tuple(_fewest(counts, power, seed) for power in POWERS),
        groups=tuple(
            GroupFigures(
                name=word,
                accused=counted(its_p <= operating_point, scores),
                auc=auc(pos, scores),
                auc_interval=auc_interval(pos, scores, derive_seed(seed, f"auc {word}")),
                tpr_at_fpr=tuple((at, tpr_at(pos, scores, at)) for at in NONMEMBER_FPRS),
            )
            for word, (scores, its_p) in strangers.items()
        ),
        labelled=tuple(named),
        null=null_check(single[~labels], len(decoys), operating_point),
        shape=two_sample(neg, decoys),
        blind=gate,
        as_list=list_evidence(Counter(p.tolist()), len(decoys), operating_point),
    )


def _groups(
    groups: Sequence[str], scores: Floats, p: Floats, labels: NDArray[np.bool_]
) -> dict[str, tuple[Floats, Floats]]:
    """Scores and p-values of the non-members of each named group, by name in its order."""
    words = np.array(groups or [""] * len(labels))
    rows = {word: ~labels & (words == word) for word in np.unique(words[~labels]).tolist() if word}
    return {word: (scores[of_word], p[of_word]) for word, of_word in rows.items()}


def _counted(
    nulls: Sequence[Floats], operating_point: float, marks: NDArray[np.bool_], scores: Floats
) -> Rate:
    """How many texts have a finding; the interval holds the draw of the decoys behind it."""
    return redrawn_share(marks, [Ranks.of(scores, null) for null in nulls], operating_point)


def _caption_power(
    captions: Sequence[int | None],
    labels: NDArray[np.bool_],
    found: NDArray[np.bool_],
    scores: Floats,
    counted: Callable[[NDArray[np.bool_], Floats], Rate],
) -> tuple[CaptionPower, ...]:
    known = np.array([count or 0 for count in captions] or np.zeros(len(labels))) * labels
    return tuple(
        CaptionPower(count, counted(found[known == count], scores[known == count]))
        for count in np.unique(known[known > 0]).tolist()
    )


def _fewest(counts: Sequence[CaptionPower], power: float, seed: int) -> FewestCaptions:
    counts = [entry for entry in counts if entry.found.n >= LEAST_PER_COUNT]
    if not counts:
        return FewestCaptions(power, None, None, None)
    hits, n = (np.array([getattr(entry.found, name) for entry in counts]) for name in ("hits", "n"))
    generator = np.random.default_rng(derive_seed(seed, f"captions for {power:g}"))
    redrawn = generator.beta(hits + 0.5, n - hits + 0.5, (CAPTION_DRAWS, len(n)))
    firsts = [_first_to_reach(power, shares, n) for shares in (hits / n, *redrawn)]
    ends = np.quantile(firsts[1:], [0.025, 0.975], method="nearest").tolist()
    reached = [*(entry.captions for entry in counts), None]
    low, high = min(ends[0], firsts[0]), max(ends[1], firsts[0])
    return FewestCaptions(power, reached[firsts[0]], reached[low], reached[high])


def _first_to_reach(power: float, shares: Floats, weights: NDArray[np.int64]) -> int:
    """First place at which the isotonic fit of shares reaches a power, or their number (ours)."""
    fit = isotonic_regression(shares, weights=weights).x
    return int(np.append(fit >= power - 1e-9, True).argmax())

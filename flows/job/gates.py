"""Checks of a detector on labelled texts, before a claim is made from it."""

from collections.abc import Sequence

from flows.job.job import Job
from flows.pages.kinds.job_facts import Gate
from tuni.detectors.bundle import Bundle
from tuni.statistics.evaluation import Evaluation
from tuni.statistics.intervals import Rate
from tuni.statistics.null_check import NullCheck, evenness, null_check
from tuni.statistics.p_values import Floats, conformal_p
from tuni.statistics.spelling import DecoyCheck
from tuni.statistics.suppression import SMALLEST_SHARED
from tuni.texts.kind import TextKind

_SHOWN = ("tokens", "frequency")  # of evenness: they decide nothing


def label_gates(job: Job, measured: Evaluation, check: DecoyCheck | None) -> list[Gate]:
    """Strangers against decoys, the detector against spelling, the list against decoys."""
    blind, gates = measured.blind, [_strangers_gate(job, measured.null)]
    if blind is None:
        gates.append(Gate("blind", None, "too few labelled texts to compare with their spelling"))
    else:
        gates.append(
            Gate(
                "blind",
                not blind.tripped,
                f"a classifier that sees the spelling alone reaches AUC {blind.blind_auc:.2f} "
                f"(below .5 counts as .5), the detector {blind.detector_auc:.2f}; its lead is "
                f"{blind.low:+.3f} to {blind.high:+.3f}, and must lie above 0 (by so many labels "
                f"a true lead of {blind.difference - blind.low:.2f} is shown in half of cases)",
            )
        )
    if check is None or not check.checked:
        gates.append(Gate("decoys against list", None, "too few texts to compare with decoys"))
    else:
        gates.append(
            Gate(
                "decoys against list",
                not check.tripped,
                f"the labelled texts can be told from their decoys by spelling with AUC "
                f"{check.auc:.2f} (bound {check.bound:.2f})",
            )
        )
    return gates


def strangers_alone(job: Job, bundle: Bundle, scores: Floats) -> Gate:
    """Known non-members without members: power cannot be measured, but the null can be.

    Args:
        job: Gives the confidence.
        bundle: Gives decoys and operating point.
        scores: Of the non-members.
    """
    decoys = bundle.pair.decoy_scores
    null = null_check(conformal_p(scores, decoys), len(decoys), bundle.operating_point)
    return _strangers_gate(job, null)


def evenness_gate(
    texts: Sequence[str], scores: Floats, tokens: Sequence[int], kind: TextKind, point: float
) -> tuple[Gate, dict[str, float]]:
    """Whether strangers are accused alike whatever their name parts and culture.

    It is told from calibration decoys, each among the others: they are no genuine pairs, and no
    label is needed. Numbers of tokens and frequency of the parts are shown beside, and decide
    nothing.

    Args:
        texts: The calibration decoys.
        scores: Theirs, shape (n,).
        tokens: How many tokens each has.
        kind: Of the texts.
        point: Operating point.

    Returns:
        The gate, and the worst rates and spreads by MLflow name.
    """
    parsed = [kind.parse(text) for text in texts]
    places = {
        "first part": [text.parts[0] for text in parsed],
        "last part": [text.parts[-1] for text in parsed],
        "culture": [text.stratum for text in parsed],
        "tokens": [str(count) for count in tokens],
        "frequency": ["common" if text.common else "rarer" for text in parsed],
    }
    p = conformal_p(scores, scores)
    told = {place: even for place, groups in places.items() if (even := evenness(groups, p, point))}
    figures = {f"{place.replace(' ', '_')}_spread": even.spread for place, even in told.items()}
    parts = [told[place].worst.value for place in ("first part", "last part") if place in told]
    if parts:
        figures["worst_part_decoy_fpr"] = max(parts)
    for place in ("culture", *_SHOWN):
        if place in told:
            figures[f"{place}_decoy_fpr_max"] = told[place].worst.value
    sentences = [
        f"of {even.groups} by {place} the worst is accused in {counted(even.worst)}, "
        f"spread {even.spread:.2f} of chance"
        for place, even in told.items()
    ]
    decide = [even.even for place, even in told.items() if place not in _SHOWN]
    passed = all(decide) if decide else None
    words = "; ".join(sentences) or "too few decoys of one part"
    return Gate("no name part decides", passed, f"among decoys, {words}"), figures


def counted(rate: Rate) -> str:
    """A share with its counts and its interval."""
    return f"{rate.hits} of {rate.n} ({rate.value:.1%}, {rate.low:.1%} to {rate.high:.1%})"


def _strangers_gate(job: Job, null: NullCheck) -> Gate:
    name = "strangers against decoys"
    if null.rejected.n < SMALLEST_SHARED:
        return Gate(name, None, "too few known non-members to compare with decoys")
    return Gate(
        name,
        null.validity_p > 1 - job.request.gates.nonmember_fpr_confidence,
        f"{counted(null.rejected)} of known non-members have p <= {null.nominal:g} against the "
        f"calibration decoys; if the p-values are valid, so many or more come up with "
        f"probability {null.validity_p:.2g}",
    )

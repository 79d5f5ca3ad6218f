"""Evidence about a whole list in words: for its owner, and for others with small counts hidden."""

from tuni.list_evidence import ListEvidence
from tuni.suppression import SMALLEST_SHARED, shared_part


def member_words(evidence: ListEvidence | None) -> list[str]:
    """Two lines for those who may see the list; none where there is no evidence."""
    if evidence is None:
        return []
    return [_bound(evidence, f"{evidence.at_least:,}"), _seen(evidence)]


def shared_member_words(evidence: ListEvidence | None) -> list[str]:
    """The same for shared places; no count of fewer than five people, nor one it follows from."""
    if evidence is None:
        return []
    lines = [
        _bound(evidence, f"{evidence.at_least:,}")
        if evidence.at_least >= SMALLEST_SHARED
        else f"Names on the list that the model knows: no bound of {SMALLEST_SHARED} or more."
    ]
    if _may_share(evidence):
        lines.append(_seen(evidence))
    return [line[0].upper() + line[1:] for line in lines]


def shared_evidence(evidence: ListEvidence | None) -> dict[str, float]:
    """Figures by MLflow name, small counts left out; shares in whole percent."""
    if evidence is None:
        return {}
    figures: dict[str, float] = {"list_nonmember_fpr_allowed": evidence.stranger_fpr}
    if evidence.at_least >= SMALLEST_SHARED:
        figures["list_names_known_at_least"] = evidence.at_least
    if _may_share(evidence):
        figures |= {
            "list_seen_share": round(evidence.seen, 2),
            "list_seen_share_low": round(evidence.seen_low, 2),
            "list_seen_share_high": round(evidence.seen_high, 2),
        }
    return figures


def _may_share(evidence: ListEvidence) -> bool:
    """Whether the share stands for five people at least, on either side."""
    return shared_part(round(evidence.seen * evidence.texts), evidence.texts) is not None


def _bound(evidence: ListEvidence, count: str) -> str:
    most = _percent(evidence.stranger_fpr)
    if evidence.known_nonmembers:
        why = f"the most that {evidence.known_nonmembers:,} known non-members allow"
    else:
        why = "a stated allowance, since no known non-members measured it"
    return (
        f"names on the list that the model knows, by their own or a namesake's data: at least "
        f"{count} (95 %), if of unknown names {most} may get the first verdict, {why}"
    )


def _seen(evidence: ListEvidence) -> str:
    low, high = _percent(evidence.seen_low), _percent(evidence.seen_high)
    return (
        f"share of the list that the model treats as known: {_percent(evidence.seen)} "
        f"(95 % interval {low} to {high})"
    )


def _percent(share: float) -> str:
    # As `flows.svg.percent` for these shares; a score of a list has no need of matplotlib.
    return f"{100.0 * share:.1f}".removesuffix(".0") + " %"

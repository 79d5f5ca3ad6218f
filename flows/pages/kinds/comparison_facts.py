"""What a comparison's page says, as plain facts for others: small counts are hidden here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuni.statistics.p_values import Floats
from tuni.statistics.suppression import (
    HIDDEN,
    SMALLEST_SHARED,
    Told,
    hidden_bins,
    shared_count,
    shared_part,
)

if TYPE_CHECKING:  # a page is rendered without the rooms that judge
    from registry.audits.audits import Audit

BINS = 24
# At which a gate says that a list is known more than before (ours): one innocent list in a hundred.
GATE_LEVEL = 0.01
FEW_PARTS = (
    "the names have too few parts to make decoys of, so common parts are among them: where those "
    "are known more or less than before, the list seems to change"
)


@dataclass(frozen=True, slots=True)
class ChangeTable:
    """Shares of subjects and decoys by their change.

    Attributes:
        edges: Of the bins, one more than there are bins.
        subjects: Share of the subjects in each bin; None where it must not be told.
        decoys: Share of the decoys in each bin.
    """

    edges: tuple[float, ...]
    subjects: tuple[float | None, ...]
    decoys: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no histogram, such as an evidence file may hold."""
        steps = zip(self.edges, self.edges[1:], strict=False)
        if not len(self.edges) - 1 == len(self.subjects) == len(self.decoys) > 0 or not all(
            low < high for low, high in steps
        ):
            raise ValueError("bins without a share, or not ascending")


@dataclass(frozen=True, slots=True)
class ComparedAudit:
    """One of the two audits.

    Attributes:
        audit: Its id.
        checkpoint: Name of the audited checkpoint.
        fingerprint: SHA-256 of its weights and settings.
        version: Version of the detector.
        watchlist: Name of the list.
    """

    audit: str
    checkpoint: str
    fingerprint: str
    version: int
    watchlist: str


@dataclass(frozen=True, slots=True)
class ComparisonFacts:
    """A comparison as others may read it.

    Attributes:
        first: The audit that is compared with.
        second: The later one.
        subjects: Full names that both judged.
        decoys: Fresh decoys that both detectors scored.
        operating_point: p at or below which a subject counts as changed.
        by_chance: Changes to be expected each way were nobody known more or less.
        more: Subjects known more by the second.
        more_singled_out: Those of them over the whole list.
        less: Subjects known less by the second.
        less_singled_out: Those of them over the whole list.
        appeared: Findings of the second audit alone.
        vanished: Findings of the first audit alone.
        list_more: p of the list being known more as a whole.
        list_less: p of its being known less.
        own_parts: Whether the decoys are made of the list's own name parts alone.
        differing: What of the two detectors' specifications differs.
        changes: Of subjects and decoys, or None where the list is too short.
        kind: Tells this from what other pages say.
    """

    first: ComparedAudit
    second: ComparedAudit
    subjects: int
    decoys: int
    operating_point: float
    by_chance: int
    more: Told
    more_singled_out: Told
    less: Told
    less_singled_out: Told
    appeared: Told
    vanished: Told
    list_more: float
    list_less: float
    own_parts: bool = True
    differing: tuple[str, ...] = ()
    changes: ChangeTable | None = None
    kind: Literal["comparison"] = "comparison"

    @classmethod
    def of(
        cls,
        first: "Audit",
        second: "Audit",
        result: Mapping[str, Any],  # Any: JSON values
        subjects: Floats,
        decoys: Floats,
    ) -> "ComparisonFacts":
        """Hide what must not be told.

        Args:
            first: The audit that is compared with.
            second: The later one.
            result: What `flows.auditing.compare.Comparison.record` gives.
            subjects: Changes of the subjects, shape (n,).
            decoys: Changes of the decoys, shape (m,).
        """
        n = result["subjects"]
        # The two follow from each other and from the findings of the audits' own pages.
        moved: dict[str, Told] = {
            name: shared_count(result[name], n) for name in ("appeared", "vanished")
        }
        if any(shared_part(result[name], n) is None for name in moved):
            moved = dict.fromkeys(moved, HIDDEN)
        return cls(
            _compared(first),
            _compared(second),
            subjects=n,
            decoys=result["decoys"],
            operating_point=result["operating_point"],
            by_chance=round(result["operating_point"] * n),
            more=shared_count(result["more"], n),
            more_singled_out=shared_count(result["more_singled_out"], result["more"]),
            less=shared_count(result["less"], n),
            less_singled_out=shared_count(result["less_singled_out"], result["less"]),
            appeared=moved["appeared"],
            vanished=moved["vanished"],
            list_more=result["list_more"],
            list_less=result["list_less"],
            own_parts=result["own_parts"],
            differing=tuple(result["differing"]),
            changes=change_table(subjects, decoys) if n >= BINS * SMALLEST_SHARED else None,
        )


def change_table(subjects: Floats, decoys: Floats) -> ChangeTable:
    """Bin the changes of subjects and decoys.

    Args:
        subjects: Changes of the subjects, shape (n,).
        decoys: Changes of the decoys, shape (m,).
    """
    low, high = np.quantile(np.concatenate([subjects, decoys]), [0.001, 0.999])
    edges = np.linspace(low, max(high, low + 1e-9), BINS + 1)
    counts = [np.histogram(np.clip(one, low, high), edges)[0] for one in (subjects, decoys)]
    hidden = hidden_bins(counts[0])
    shares = (counts[0] / len(subjects)).tolist()
    return ChangeTable(
        tuple(edges.tolist()),
        tuple(None if hide else share for hide, share in zip(hidden, shares, strict=True)),
        tuple((counts[1] / len(decoys)).tolist()),
    )


def _compared(audit: "Audit") -> ComparedAudit:
    return ComparedAudit(
        audit.id, audit.checkpoint, audit.fingerprint, audit.version, audit.watchlist
    )

"""A list's null: what its texts are ranked against beside the bundle's own decoys.

The one law: a null depends on the bundle and the set of texts in the list, and a text's p-values
on its score, the bundle and the null alone. It holds scores of decoys and counts, never a text,
so that it can be kept and a verdict derived again years later.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuni.detectors.bundle import Bundle
from tuni.detectors.model import read_only
from tuni.errors import BundleError, RequestError, TextError, TooFewTexts, TuniError, UnusableScores
from tuni.hashing import canonical_json
from tuni.judging.part_effects import UNCORRECTED, Correction
from tuni.statistics.intervals import rate
from tuni.statistics.list_evidence import ListEvidence, list_evidence
from tuni.statistics.p_values import Floats, conformal_p, finite
from tuni.statistics.spelling import DecoyCheck

FORMAT = 1
LEAST_DECOYS = 2000
MOST_DECOYS = 20_000


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a list is judged.

    Attributes:
        list_decoys: Also rank each text among decoys recombined from the list's own parts.
        decoy_count: Decoys to recombine; None takes 5 a text, at least 2,000, at most 20,000.
        dependence: Correction behind the q-values: Benjamini-Hochberg or -Yekutieli.
    """

    list_decoys: bool = True
    decoy_count: int | None = None
    dependence: Literal["bh", "by"] = "bh"

    def decoys_for(self, size: int) -> int:
        """Decoys of a kind that are recombined from a list of so many texts."""
        if not self.list_decoys:
            return 0
        return self.decoy_count or min(MOST_DECOYS, max(LEAST_DECOYS, 5 * size))


@dataclass(frozen=True, slots=True, eq=False)
class GroupNull:
    """The null of the list's texts of one kind.

    Attributes:
        size: Distinct texts of the kind, at least 1.
        decoy_scores: Scores of the list's decoys, quantised and ascending, shape (m,); m = 0
            where list decoys were turned off.
        correction: How scores of the list's texts are corrected for their parts; not kept, since
            it would tell whose parts are on the list.
    """

    size: int
    decoy_scores: Floats
    correction: Correction = UNCORRECTED

    def __post_init__(self) -> None:
        """Make the scores read-only."""
        object.__setattr__(self, "decoy_scores", read_only(self.decoy_scores))


@dataclass(frozen=True, slots=True)
class ListNull:
    """The null of a list.

    Attributes:
        pair: Of its texts of two parts and more; None where it has none.
        single: Of its texts of one part, likewise.
        list_decoys: Whether decoys were recombined from the list.
        smallest_findable: Members that the list must hold for any q to fall to .05.
        check: Decoys against the list by text statistics alone; None without list decoys of pairs.
        decoy_seed: Seed of the decoys.
        check_seed: Seed of the check.
    """

    pair: GroupNull | None
    single: GroupNull | None
    list_decoys: bool
    smallest_findable: int
    check: DecoyCheck | None
    decoy_seed: int
    check_seed: int

    @property
    def size(self) -> int:
        """Distinct texts of the list."""
        return sum(group.size for group in (self.pair, self.single) if group)

    @property
    def decoys(self) -> int:
        """Decoys recombined from the list; 0 where they were turned off."""
        return sum(len(group.decoy_scores) for group in (self.pair, self.single) if group)

    @property
    def withheld(self) -> str | None:
        """Why no verdict is given, or None."""
        if self.check is None or not self.check.tripped:
            return None
        return (
            "the list's decoys can be told from the list by their spelling alone "
            f"(AUC {self.check.auc:.2f}, bound {self.check.bound:.2f}), so p-values would not mean "
            "what they say"
        )

    def to_json(self) -> str:
        """Canonical JSON; equal nulls give equal strings, and doubles survive to the last bit."""
        groups = {
            kind: group and {"size": group.size, "decoy_scores": group.decoy_scores.tolist()}
            for kind, group in (("pair", self.pair), ("single", self.single))
        }
        return canonical_json(
            {
                "format": FORMAT,
                **groups,
                "list_decoys": self.list_decoys,
                "smallest_findable": self.smallest_findable,
                "check": self.check and asdict(self.check),
                "decoy_seed": self.decoy_seed,
                "check_seed": self.check_seed,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "ListNull":
        """Read what `to_json` gave.

        Raises:
            BundleError: It is damaged or of an unknown format.
        """
        try:
            body = json.loads(text)
            if (found := body.pop("format")) != FORMAT:
                raise BundleError(
                    f"list null: format {found!r}, this version reads {FORMAT}",
                    "read it with the version of tuni that wrote it",
                )
            pair, single, check = (body.pop(name) for name in ("pair", "single", "check"))
            return cls(
                pair=_read_group(pair),
                single=_read_group(single),
                check=check and DecoyCheck(**check),
                **body,
            )
        except BundleError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, TuniError) as error:
            raise BundleError("list null: damaged", "judge the list again") from error


def p_values(
    bundle: Bundle, null: ListNull, scores: ArrayLike, single: ArrayLike
) -> tuple[Floats, Floats]:
    """p-values of scores, as they come out of a judgement or out of a ledger.

    Args:
        bundle: Calibration scores.
        null: Of the list that the texts are on.
        scores: Quantised scores of n texts, shape (n,).
        single: Whether each text has one part, shape (n,).

    Returns:
        p_decoy, the larger of the conformal p-values against the bundle's and the list's decoys;
        and p_gibberish. Each of shape (n,), in (0, 1].

    Raises:
        TextError: There are texts of a kind that the bundle or the null knows nothing of.
        UnusableScores: A score is not finite, or there is not one kind for each.
    """
    values = finite(scores, "scores")
    lone: NDArray[np.bool_] = np.asarray(single, dtype=bool)
    if lone.shape != values.shape:
        raise UnusableScores(
            f"single: {lone.size} for {len(values)} scores", "say for each text if it has one part"
        )
    p_decoy, p_gibberish = np.empty(len(values)), np.empty(len(values))
    for rows, scorer, group in (
        (np.flatnonzero(~lone), bundle.pair, null.pair),
        (np.flatnonzero(lone), bundle.single, null.single),
    ):
        if not len(rows):
            continue
        if scorer is None or group is None:
            raise foreign_kind(rows.tolist())
        own = values[rows]
        p_decoy[rows] = conformal_p(own, scorer.decoy_scores)
        if len(group.decoy_scores):
            p_decoy[rows] = np.maximum(p_decoy[rows], conformal_p(own, group.decoy_scores))
        p_gibberish[rows] = conformal_p(own, scorer.gibberish_scores)
    return p_decoy, p_gibberish


def foreign_kind(rows: Sequence[int]) -> TextError:
    """The error about rows of a kind, pairs or one part, that a null was not made for."""
    return TextError(
        f"list: row {rows[0] + 1} is of a kind (full name, or one part) that the detector does "
        "not judge or that the list's null was made without",
        "judge texts of the list that the null was made from",
    )


def require_decoys(bundle: Bundle, options: JudgeOptions) -> None:
    """Refuse to judge without list decoys where the detector needs them.

    Raises:
        RequestError: It does, and they were turned off.
    """
    if bundle.corrects and not options.list_decoys:
        raise RequestError(
            "list decoys: turned off, and this detector needs them to tell what the parts of a "
            "name add",
            "leave out --no-list-decoys (list_decoys = true)",
        )


def require_enough(count: int, operating_point: float) -> None:
    """Refuse to rank among so few list decoys.

    Raises:
        TooFewTexts: No p-value could fall to the operating point.
    """
    if count < (needed := decoys_needed(operating_point)):
        raise TooFewTexts(
            f"list decoys: {count}, no p-value could fall to the operating point "
            f"{operating_point:g}",
            f"ask for at least {needed} (--decoys)",
        )


def decoys_needed(operating_point: float) -> int:
    """Fewest decoys against which a conformal p can fall to the operating point."""
    return math.ceil(1 / operating_point - 1e-9) - 1


def _read_group(value: Any) -> GroupNull | None:  # Any: JSON
    if value is None:
        return None
    scores = finite(value["decoy_scores"], "decoy scores")
    if int(value["size"]) < 1 or (np.diff(scores) < 0.0).any():
        raise ValueError("not ascending, or of no text")
    return GroupNull(int(value["size"]), scores)


def evidence_of_list(
    bundle: Bundle,
    null: "ListNull",
    levels: Mapping[float, int],
    selected_on: Mapping[float, int],
) -> ListEvidence | None:
    """Evidence about a judged list, allowing for the error that the bundle's labels measured.

    Where the detector replaced the default, texts that took part in choosing it are left out: it
    was chosen for how small their p-values are, so that a bound from them would not hold. One from
    the others holds for the list.

    Args:
        bundle: The detector, with what its evaluation measured.
        null: Of the list.
        levels: Distinct p-values and how many distinct texts have each.
        selected_on: Likewise, of those of the texts that took part in choosing the detector.

    Returns:
        The evidence, or None where verdicts are withheld or nobody else was judged.
    """
    left_out = {} if bundle.evidence.get("default_detector") else selected_on
    others = Counter(levels) - Counter(left_out)
    if null.withheld is not None or not others:
        return None
    pairs = ((null.pair, bundle.pair), (null.single, bundle.single))
    calibrated = [len(scorer.decoy_scores) for group, scorer in pairs if group and scorer]
    known = bundle.evidence.get("nonmember_fpr_by_bundle")
    counted = rate(*_counts(known)) if isinstance(known, Mapping) else None
    evidence = list_evidence(others, min(calibrated), bundle.operating_point, counted)
    return replace(evidence, selected_on=sum(left_out.values()))


def _counts(known: Mapping[str, Any]) -> tuple[int, int]:  # Any: JSON values
    return int(known["hits"]), int(known["n"])

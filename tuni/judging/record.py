"""A verdict as a row of a table: its columns, wherever verdicts are written or sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuni.detectors.bundle import Bundle
from tuni.statistics.p_values import EVIDENCE, NO_EVIDENCE, WITHHELD

# Columns of a verdict and MLflow's names of their types, in order. `text` is the list's own, and
# `error` says why a row has no verdict.
COLUMNS: Mapping[str, str] = {
    "text": "string",
    "score": "double",
    "p_decoy": "double",
    "p_gibberish": "double",
    "q_value": "double",
    "verdict": "string",
    "operating_point": "double",
    "measured_power": "string",
    "flags": "string",
    "model_version": "string",
    "fingerprint": "string",
    "error": "string",
}
SELECTED_ON = "selected_on"  # flag of a text that took part in choosing the detector
NUMBERS = tuple(name for name, kind in COLUMNS.items() if kind == "double")

Record = dict[str, Any]  # Any: strings, floats and None


@dataclass(frozen=True, slots=True)
class Judged:
    """What one text's block says of it; the rest of a verdict needs the whole list.

    Attributes:
        score: Higher is nearer to "trained on"; comparable within one bundle only.
        p_decoy: The larger of the conformal p-values against the bundle's and the list's decoys.
        p_gibberish: Conformal p against gibberish: a ranking, never an accusation.
        flags: What a reader must know beside it, sorted.
    """

    score: float
    p_decoy: float
    p_gibberish: float
    flags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What all verdicts about a list rest on.

    Attributes:
        operating_point: p at or below which a text gets a finding.
        withheld: Why no verdict is given, or None.
        measured_power: Share of known members found, in words; None where nobody measured it.
        model_version: Registered version of the bundle, or ``""``.
        fingerprint: Of the audited checkpoint.
    """

    operating_point: float
    withheld: str | None
    measured_power: str | None
    model_version: str
    fingerprint: str

    def verdict(self, p_decoy: float) -> str:
        """The words about a text with this p-value."""
        if self.withheld:
            return WITHHELD
        return EVIDENCE if p_decoy <= self.operating_point else NO_EVIDENCE

    def record(self, judged: Judged, q_value: float | None) -> Record:
        """The columns of a verdict, all but ``text`` and ``error``.

        Where it is withheld there is neither p nor q.

        Args:
            judged: About one text.
            q_value: Its p-value adjusted over the list.
        """
        known = self.measured_power is not None and "one_part" not in judged.flags
        return {
            "score": judged.score,
            "p_decoy": None if self.withheld else judged.p_decoy,
            "p_gibberish": judged.p_gibberish,
            "q_value": None if self.withheld else q_value,
            "verdict": self.verdict(judged.p_decoy),
            "operating_point": self.operating_point,
            "measured_power": self.measured_power if known else "not measured",
            "flags": " ".join(judged.flags),
            "model_version": self.model_version,
            "fingerprint": self.fingerprint,
        }


def measured_power(bundle: Bundle) -> str | None:
    """Share of known members that a detector found, in words, or None where unmeasured."""
    if bundle.evidence.get("withheld"):
        return "withheld: a gate failed"
    found = bundle.evidence.get("found")
    if not isinstance(found, Mapping) or not found.get("n"):
        return None
    return f"{found['hits']} of {found['n']} ({found['low']:.2f}-{found['high']:.2f})"

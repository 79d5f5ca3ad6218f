"""A section for a model's card, in Markdown, from an evidence file."""

import re

from flows.evidence import Evidence
from flows.report_facts import findings
from flows.svg import percent
from tuni.verdicts import EVIDENCE

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")


def model_card(evidence: Evidence) -> str:
    """What was audited, with which power, what was found, and how to repeat it.

    Args:
        evidence: Holds no text of a subject, and so neither does the section.
    """
    facts = evidence.facts
    point = percent(facts.operating_point)
    lines = [
        "## Identity inference audit",
        "",
        f"Audited with tuni on {_plain(facts.written)}: are names of people known to "
        f"{_plain(facts.checkpoint)} (fingerprint `{facts.fingerprint[:16]}`) because it was "
        "trained on them?",
        "",
        *(f"- {_plain(label)}: {_plain(value)}" for label, value in facts.asked),
        f"- Detector: {_plain(facts.detector)}",
        f"- Operating point: {point}. “{EVIDENCE.capitalize()}” means that at most this share of "
        "comparable made-up names scores as high. It is no proof, and no probability of "
        "membership; “no evidence” is not absence.",
        "",
        "### What was found",
        "",
    ]
    if facts.withheld:
        lines.append(f"- **No claim is made about power.** {_plain(facts.withheld)}")
    lines += [f"- {_plain(line)}" for line in findings(facts)]
    if facts.power is not None:
        low, high = facts.power.auc_interval.low, facts.power.auc_interval.high
        lines.append(
            f"- Area under the ROC curve: {facts.power.auc:.3f} (95 % interval {low:.3f} to "
            f"{high:.3f}), {facts.power.members:,} members and {facts.power.nonmembers:,} others."
        )
    lines += [
        "- A verdict is about the text, not the person: a namesake makes a name known.",
        "",
        "### Repeat it",
        "",
        f"- Command: `{facts.command}`, tuni {(facts.versions or {}).get('tuni', 'unknown')}",
        f"- Model fingerprint: `{facts.fingerprint}`",
        *(f"- Digest of {name}: `{value}`" for name, value in sorted(evidence.inputs.items())),
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))

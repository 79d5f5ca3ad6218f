"""A section for a model's card, in Markdown, from the evidence of a job or of an audit."""

from flows.pages.evidence import Evidence
from flows.pages.figures import percent
from flows.pages.kinds.audit_facts import AuditFacts
from flows.pages.kinds.audit_facts import findings as audit_findings
from flows.pages.kinds.job_facts import ReportFacts, findings
from tuni.errors import RequestError
from tuni.statistics.p_values import EVIDENCE
from tuni.visible import markdown, one_line


def model_card(evidence: Evidence) -> str:
    """What was audited, with which power, what was found, and how to repeat it.

    Args:
        evidence: Holds no text of a subject, and so neither does the section.

    Raises:
        RequestError: It is about several models.
    """
    facts = evidence.facts
    match facts:
        case ReportFacts():
            told = _of_job(facts)
        case AuditFacts():
            told = _of_audit(facts)
        case _:
            raise RequestError(
                f"--model-card: the file is about a {facts.kind}, not about one model",
                "name the evidence file of a job or of an audit",
            )
    lines = [
        "## Identity inference audit",
        "",
        *told,
        "- A verdict is about the text, not the person: a namesake makes a name known.",
        "",
        "### Repeat it",
        "",
        f"- Command: {_code(evidence.command)}, "
        f"tuni {markdown(evidence.versions.get('tuni', 'unknown'))}",
        f"- Model fingerprint: {_code(facts.fingerprint)}",
        *(
            f"- Digest of {markdown(name)}: {_code(value)}"
            for name, value in sorted(evidence.inputs.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def _of_job(facts: ReportFacts) -> list[str]:
    lines = [
        f"Audited with tuni on {markdown(facts.written)}: are names of people known to "
        f"{markdown(facts.checkpoint)} (fingerprint {_code(facts.fingerprint[:16])}) because it "
        "was trained on them?",
        "",
        *(f"- {markdown(label)}: {markdown(value)}" for label, value in facts.asked),
        f"- Detector: {markdown(facts.detector)}",
        _point(facts.operating_point),
        "",
        "### What was found",
        "",
    ]
    if facts.withheld:
        lines.append(f"- **No claim is made about power.** {markdown(facts.withheld)}")
    lines += [f"- {markdown(line)}" for line in findings(facts)]
    if facts.power is not None:
        low, high = facts.power.auc_interval.low, facts.power.auc_interval.high
        lines.append(
            f"- Area under the ROC curve: {facts.power.auc:.3f} (95 % interval {low:.3f} to "
            f"{high:.3f}), {facts.power.members:,} members and {facts.power.nonmembers:,} others."
        )
    return lines


def _of_audit(facts: AuditFacts) -> list[str]:
    lines = [
        f"Audited with tuni on {markdown(facts.ended)}: are names of a list of "
        f"{facts.subjects:,} people known to {markdown(facts.checkpoint)} (fingerprint "
        f"{_code(facts.fingerprint[:16])}) because it was trained on them?",
        "",
        f"- Detector: version {facts.version}",
        "- Known members that it finds (95 % interval): "
        f"{markdown(facts.measured_power or 'not measured (no labels)')}",
        _point(facts.operating_point),
        "",
        "### What was found",
        "",
    ]
    if facts.withheld:
        lines.append(f"- **No verdict is given.** {markdown(facts.withheld)}")
    return lines + [f"- {markdown(line)}" for line in audit_findings(facts)]


def _point(operating_point: float) -> str:
    return (
        f"- Operating point: {percent(operating_point)}. “{EVIDENCE.capitalize()}” means that at "
        "most this share of comparable made-up names scores as high. It is no proof, and no "
        "probability of membership; “no evidence” is not absence."
    )


def _code(text: str) -> str:
    # Within a code span no backslash helps against a sign that ends it.
    return f"`{one_line(text)}`" if "`" not in text else markdown(text)

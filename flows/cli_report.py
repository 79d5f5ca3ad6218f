"""`tuni report`: the page, or a section for a model's card, from an evidence file."""

from pathlib import Path
from typing import Annotated

import typer

from flows.show import results


def report(
    evidence: Annotated[Path, typer.Argument(help="evidence.json of a job or of MLflow's run.")],
    out: Annotated[Path | None, typer.Option(help="Page (HTML) to write.")] = None,
    model_card: Annotated[
        bool, typer.Option("--model-card", help="Print a section for a model's card (Markdown).")
    ] = False,
) -> None:
    """Render an evidence file; an altered one, or one of another format, is refused."""
    from flows.evidence import read_evidence
    from flows.model_card import model_card as written
    from flows.report import write_report
    from tuni.errors import RequestError

    if out is None and not model_card:
        raise RequestError("--out: not given", "name a page to write, or say --model-card")
    read = read_evidence(evidence)
    if out is not None:
        write_report(read.facts, out)
    if model_card:
        results({}, written(read).rstrip("\n"), as_json=False)

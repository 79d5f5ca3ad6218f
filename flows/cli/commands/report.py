"""`tuni report`: the page, or a section for a model's card, from an evidence file of any kind."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.verbs import verb
from flows.machine.show import results


@verb("tuni report evidence.json --out page.html")
def report(
    evidence: Annotated[Path, typer.Argument(help="Evidence file (JSON) of any page.")],
    out: Annotated[Path | None, typer.Option(help="Page (HTML) to write.")] = None,
    model_card: Annotated[
        bool, typer.Option("--model-card", help="Print a section for a model's card (Markdown).")
    ] = False,
) -> None:
    """Render an evidence file of a job, an audit, a comparison or a benchmark.

    An altered one, or one of another format, is refused.
    """
    from flows.pages.evidence import read_evidence
    from flows.pages.model_card import model_card as written
    from flows.pages.publish import write_report
    from tuni.errors import RequestError
    from tuni.files import check_outputs

    if out is None and not model_card:
        raise RequestError("--out: not given", "name a page to write, or say --model-card")
    check_outputs(out=out)
    read = read_evidence(evidence)
    if out is not None:
        write_report(read, None, out)
    if model_card:
        results({}, written(read).rstrip("\n"), as_json=False)

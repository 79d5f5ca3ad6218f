"""`tuni score` and `tuni serve`: verdicts from a registered detector."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    Checkpoint,
    CheckpointFolder,
    Decoys,
    Dependence,
    DetectorVersion,
    Device,
    Json,
    ListDecoys,
    Names,
)
from flows.cli.verbs import open_settings, verb
from flows.machine.show import answer, say


@verb("tuni score --checkpoint ours-vit-b-32 --subjects people.csv --out verdicts.csv")
def score(
    checkpoint: Checkpoint,
    subjects: Annotated[
        Path,
        typer.Option(
            help="CSV, Parquet (.parquet) or JSON Lines (.jsonl) with a column text; others pass "
            "through."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Verdicts; the suffix says the format, as above.")],
    version: DetectorVersion = "champion",
    folder: CheckpointFolder = None,
    list_decoys: ListDecoys = True,
    decoys: Decoys = None,
    dependence: Dependence = "bh",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Write rows that cannot be scored with the reason.")
    ] = False,
    pseudonymous: Annotated[
        bool,
        typer.Option(
            "--pseudonymous",
            help="Write this home's keyed pseudonyms instead of texts, and no other column of "
            "the input.",
        ),
    ] = False,
    device: Device = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder of pictures: a folder for each subject, named by the text, or what the "
            "list's column pictures names below it."
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Column about one person, as in the request's kinds: name, phone, address, email, "
            "username; again for more."
        ),
    ] = None,
    names: Names = "first-last",
    as_json: Json = False,
) -> None:
    """Give a verdict for each text of a list, or each row of fields, with a registered detector."""
    from flows.scoring.people import score_people
    from flows.scoring.score import ScoreRequest, score_file

    asked = ScoreRequest(
        checkpoint=checkpoint,
        subjects=subjects,
        out=out,
        version=version,
        folder=folder,
        list_decoys=list_decoys,
        decoys=decoys,
        dependence=dependence,
        skip_bad=skip_bad,
        pseudonymous=pseudonymous,
        device=device,
        pictures=pictures,
        names=names,
    )
    if kind and len(kind) > 1:
        people = score_people(asked, kind, open_settings())
        answer(people, as_json=as_json, outputs=[out])
        if people.withheld:
            raise typer.Exit(3)
        return
    outcome = score_file(asked, open_settings(), lambda cost: say(cost.text()))
    answer(outcome, as_json=as_json, outputs=[out])
    if outcome.withheld:
        raise typer.Exit(3)


@verb("tuni serve --checkpoint ours-vit-b-32 --port 5001")
def serve(
    checkpoint: Checkpoint,
    version: DetectorVersion = "champion",
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port on loopback.")] = 5001,
    folder: CheckpointFolder = None,
    list_decoys: Annotated[
        bool, typer.Option(help="Also rank each text among decoys of the request's own name parts.")
    ] = True,
    device: Device = None,
    tell_selected: Annotated[
        bool,
        typer.Option(
            "--tell-selected",
            help="Flag texts that the detector was chosen on: tells who is on your lists.",
        ),
    ] = False,
) -> None:
    """Serve a detector on loopback, until interrupted.

    Whoever asks needs the token in the home's file serve.token. Texts per minute are limited, and
    each query leaves an entry in the audit trail.
    """
    from flows.scoring.serve import ServeRequest, serve_detector

    serve_detector(
        ServeRequest(checkpoint, version, port, folder, list_decoys, device, tell_selected),
        open_settings(),
    )

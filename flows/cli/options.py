"""Arguments and options that several verbs of the command share, each said once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Checkpoint = Annotated[str, typer.Option(help="Name of the registered checkpoint.")]
CheckpointFolder = Annotated[
    Path | None, typer.Option(help="Checkpoint folder, if not the one of `tuni run`.")
]
Device = Annotated[
    str | None, typer.Option(help="Torch device: cpu, cuda or cuda:N; else TUNI_DEVICE.")
]
DetectorVersion = Annotated[str, typer.Option(help="Alias or version number of the detector.")]
ListDecoys = Annotated[
    bool, typer.Option(help="Also rank each text among decoys of the list's own name parts.")
]
Decoys = Annotated[
    int | None,
    typer.Option(
        min=200,
        max=1_000_000,
        help="List decoys; by default 5 a text, at least 2,000 and at most 20,000.",
    ),
]
Dependence = Annotated[
    Literal["bh", "by"], typer.Option(help="q-values: Benjamini-Hochberg or -Yekutieli.")
]
Report = Annotated[
    Path | None, typer.Option(help="Also write the report page (HTML), without names.")
]
EvidenceFile = Annotated[
    Path | None, typer.Option(help="Also write all that the page says (JSON), without names.")
]
Names = Annotated[
    Literal["first-last", "last-first", "underscores"],
    typer.Option(help='How the list writes names: "First Last", "Last, First" or "First_Last".'),
]
Size = Annotated[
    Literal["full", "demo", "test"], typer.Option(help="How much is drawn and trained.")
]

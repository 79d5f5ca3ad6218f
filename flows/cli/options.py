"""Options that several verbs of the command share, each said once."""

from typing import Annotated, Literal

import typer

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

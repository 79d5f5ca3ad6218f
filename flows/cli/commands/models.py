"""`tuni models`: what the registry holds, and which detector is champion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json
from flows.cli.verbs import group, verb
from flows.machine.show import answer, results

if TYPE_CHECKING:
    from registry.models.store import ModelStore

models = group("models", "List, show, pull, promote and roll back registered detectors.")

Reference = Annotated[str, typer.Argument(help="NAME, NAME@alias or NAME@version.")]


@verb("tuni models list --json", of=models, name="list")
def list_models(as_json: Json = False) -> None:
    """List the registered detectors and their aliases."""
    entries = _store().list()
    lines = [f"{'NAME':<32} {'VERSIONS':>8}  CHAMPION  CHALLENGER  PREVIOUS"]
    for entry in entries:
        marks = [entry.aliases.get(alias, "-") for alias in ("champion", "challenger", "previous")]
        lines.append(
            f"{entry.name:<32} {entry.versions:>8}  {marks[0]:<8}  {marks[1]:<10}  {marks[2]}"
        )
    text = "\n".join(lines) if entries else "no detector is registered yet; `tuni run` makes one"
    results({"models": [entry.record() for entry in entries]}, text, as_json=as_json)


@verb("tuni models show ours-vit-b-32@champion", of=models)
def show(reference: Reference, as_json: Json = False) -> None:
    """Show one version: aliases, gates, measured power and the reason on it."""
    version = _store().show(*split_reference(reference))
    answer(version, as_json=as_json)


@verb("tuni models pull ours-vit-b-32@champion detector", of=models)
def pull(
    reference: Reference,
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist.")],
    as_json: Json = False,
) -> None:
    """Copy a detector bundle, its signature and digest checked, into a folder."""
    from tuni.files import check_new_folder

    place = check_new_folder(folder, "FOLDER")
    _store().pull(*split_reference(reference), place)
    results({"folder": str(folder)}, f"bundle in {folder}", as_json=as_json)


@verb("tuni models sign ours-vit-b-32@3", of=models)
def sign(reference: Reference, as_json: Json = False) -> None:
    """Sign a registered version with this home's key, after its digest was checked.

    For versions that were registered before bundles were signed, or that somebody else signed:
    afterwards this home uses them, so sign only what you trust.
    """
    version = _store().sign(*split_reference(reference))
    results(version.record(), f"{version.name} {version.version} is signed", as_json=as_json)


@verb('tuni models promote ours-vit-b-32@3 --reason "checked by hand"', of=models)
def promote(
    reference: Reference,
    reason: Annotated[str, typer.Option(help="Why; stands on the version as a tag.")],
    as_json: Json = False,
) -> None:
    """Make a version champion; the present champion becomes previous."""
    version = _store().promote(*split_reference(reference), reason)
    results(version.record(), f"{version.name} {version.version} is champion", as_json=as_json)


@verb('tuni models rollback ours-vit-b-32 --reason "too many alarms"', of=models)
def rollback(
    name: Annotated[str, typer.Argument(help="Name of the registered checkpoint.")],
    reason: Annotated[str, typer.Option(help="Why; stands on both versions as a tag.")],
    as_json: Json = False,
) -> None:
    """Make the previous champion champion again."""
    version = _store().rollback(name, reason)
    results(version.record(), f"{version.name} {version.version} is champion", as_json=as_json)


def split_reference(reference: str) -> tuple[str, str]:
    """Name and alias or version of ``NAME``, ``NAME@alias`` or ``NAME@version``."""
    name, _, rest = reference.partition("@")
    return name, rest or "champion"


def _store() -> "ModelStore":
    from flows.machine.home import open_home
    from flows.machine.settings import read_settings
    from registry.models.store import ModelStore

    settings = read_settings()
    return ModelStore(open_home(settings), settings.runs_uri, trusted=settings.trusted_keys)

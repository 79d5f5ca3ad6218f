"""`tuni audit` and `tuni audits`: audits of watch lists."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    Decoys,
    Dependence,
    DetectorVersion,
    EvidenceFile,
    Json,
    ListDecoys,
    Report,
)
from flows.cli.verbs import group, open_settings, verb
from flows.machine.show import answer, results

audits = group("audits", "List, show, export, resume, cancel and verify audits.")

Id = Annotated[str, typer.Argument(help="The audit's id, as `tuni audits list` shows it.")]
EngineName = Annotated[
    str, typer.Option(help="Where shards run: local, ray, or ray://HOST:PORT to join a cluster.")
]


@verb("tuni audit --checkpoint ours-vit-b-32 --watchlist customers")
def audit(
    watchlist: Annotated[str, typer.Option(help="Name of the watch list.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="Name of the registered checkpoint.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="By every checkpoint that has a champion.")
    ] = False,
    version: DetectorVersion = "champion",
    engine: EngineName = "local",
    list_decoys: ListDecoys = True,
    decoys: Decoys = None,
    dependence: Dependence = "bh",
    shard_size: Annotated[
        int, typer.Option(min=1, max=100_000, help="Subjects judged and written at once.")
    ] = 4000,
    as_json: Json = False,
) -> None:
    """Judge every subject of a watch list with a registered detector.

    Stopped at any moment, the same command goes on where it was.
    """
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.home import open_ledger
    from flows.machine.services.flow_server import start_flow_server
    from registry.audits.watchlists import Watchlists
    from tuni.errors import RequestError

    # A slip is told before seconds of imports.
    if every == (checkpoint is not None):
        raise RequestError(
            "--checkpoint: name one, or say --every for all that have a champion",
            "tuni models list shows what there is",
        )
    with open_ledger(settings) as ledger:
        Watchlists(ledger).get(watchlist)
    start_flow_server(settings)

    from flows.audit import AuditRequest, run_audits

    asked = AuditRequest(
        watchlist, checkpoint, version, engine, list_decoys, decoys, dependence, shard_size
    )
    outcome = run_audits(settings, asked)
    answer(outcome, as_json=as_json)
    raise typer.Exit(outcome.exit_code)


@verb("tuni audits list --watchlist customers", of=audits, name="list")
def list_audits(
    watchlist: Annotated[str | None, typer.Option(help="Only audits of this list.")] = None,
    as_json: Json = False,
) -> None:
    """List the audits, oldest first."""
    from flows.auditing.outcome import AuditOutcome
    from flows.machine.home import open_ledger
    from registry.audits.audits import Audits
    from registry.audits.watchlists import Watchlists

    with open_ledger(open_settings()) as ledger:
        found = [AuditOutcome.of(entry) for entry in Audits(ledger).list(watchlist)]
        if watchlist and not found:  # audits outlive their list
            Watchlists(ledger).get(watchlist)
    lines = [
        f"{'AUDIT':<13} {'BEGUN':<17} {'STATE':<10} {'FOUND':>7} {'OF':>9}  LIST BY CHECKPOINT"
    ]
    lines += [one.line() for one in found]
    text = "\n".join(lines) if found else "no audit yet; `tuni audit` makes one"
    results({"audits": [one.record() for one in found]}, text, as_json=as_json)


@verb("tuni audits show 3f9c0a7be214", of=audits)
def show(audit_id: Id, as_json: Json = False) -> None:
    """Show what an audit came to, in aggregates."""
    from flows.auditing.outcome import AuditOutcome
    from flows.machine.home import open_ledger
    from registry.audits.audits import Audits

    with open_ledger(open_settings()) as ledger:
        outcome = AuditOutcome.of(Audits(ledger).get(audit_id))
    answer(outcome, as_json=as_json)


@verb("tuni audits export 3f9c0a7be214 --out verdicts.csv", of=audits)
def export(
    audit_id: Id,
    out: Annotated[Path, typer.Option(help="CSV to write; holds the names in clear.")],
    report: Report = None,
    evidence: EvidenceFile = None,
    as_json: Json = False,
) -> None:
    """Write an audit's verdicts by name, smallest p first, to a file of your own."""
    from flows.auditing.export import export_audit

    count = export_audit(audit_id, open_settings(), out=out, report=report, evidence=evidence)
    files = {"out": out, "report": report, "evidence": evidence}
    record = {name: path and str(path) for name, path in files.items()} | {"subjects": count}
    text = f"{out}: {count:,} subjects"
    results(record, text, as_json=as_json, outputs=[out, report, evidence])


@verb("tuni audits resume 3f9c0a7be214", of=audits)
def resume(audit_id: Id, engine: EngineName = "local", as_json: Json = False) -> None:
    """Go on with an audit that was interrupted, cancelled or partial.

    It keeps the detector's version that it began with, whatever is champion now.
    """
    settings = open_settings()  # before Prefect is imported, which reads its settings then

    from flows.machine.home import open_ledger
    from flows.machine.services.flow_server import start_flow_server
    from registry.audits.audits import Audits

    with open_ledger(settings) as ledger:
        Audits(ledger).get(audit_id)  # a slip is told before seconds of imports
    start_flow_server(settings)

    from flows.audit import resume_audit

    outcome = resume_audit(settings, audit_id, engine)
    answer(outcome, as_json=as_json)
    raise typer.Exit(outcome.exit_code)


@verb("tuni audits cancel 3f9c0a7be214", of=audits)
def cancel(audit_id: Id, as_json: Json = False) -> None:
    """Give a running or interrupted audit up; what is written stays, and it can be resumed."""
    from flows.auditing.outcome import AuditOutcome
    from flows.machine.home import open_ledger
    from registry.audits.audits import Audits
    from tuni.errors import RequestError

    with open_ledger(open_settings()) as ledger:
        known = Audits(ledger)
        if (state := known.get(audit_id).state) != "running":
            raise RequestError(f"audit {audit_id}: is {state}", "only a running one is cancelled")
        known.cancel(audit_id)
        outcome = AuditOutcome.of(known.get(audit_id))
    answer(outcome, as_json=as_json)


@verb("tuni audits verify 3f9c0a7be214", of=audits)
def verify(audit_id: Id, as_json: Json = False) -> None:
    """Compute an old audit again and compare it bit for bit; exit code 1 where it differs."""
    from flows.auditing.verify import verify_audit

    found = verify_audit(audit_id, open_settings())
    answer(found, as_json=as_json)
    if not found.same:
        raise typer.Exit(1)


@verb("tuni compare 3f9c0a7be214 81d2c6f00a5e --report page.html")
def compare(
    first: Annotated[str, typer.Argument(help="Id of the audit to compare with.")],
    second: Annotated[str, typer.Argument(help="Id of the later one, or of another checkpoint's.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV of the changes; holds the names in clear.")
    ] = None,
    report: Report = None,
    evidence: EvidenceFile = None,
    fail_if_more: Annotated[
        bool,
        typer.Option(
            "--fail-if-more",
            help="Exit code 4 where the list as a whole is known more by the second (p <= 0.01), "
            "2 where the two detectors are not of one specification.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two audits: who is known more or less by the second checkpoint.

    For a retrained, deduplicated or unlearnt model. What counts as a change is told by decoys that
    both detectors scored.
    """
    from flows.auditing.compare import compare_audits

    found = compare_audits(
        first,
        second,
        open_settings(),
        out=out,
        report=report,
        evidence=evidence,
        gate=fail_if_more,
    )
    answer(found, as_json=as_json, outputs=[out, report, evidence])
    if fail_if_more and found.gate_shut:
        raise typer.Exit(4)

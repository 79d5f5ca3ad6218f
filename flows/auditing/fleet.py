"""A watch list audited by every checkpoint that has a champion."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.audit import audit
from flows.auditing.outcome import AuditOutcome
from flows.machine.guard import guarded
from flows.machine.home import open_home, open_ledger
from flows.machine.settings import read_settings
from registry.audits.audits import Audits
from registry.audits.watchlists import Watchlists
from registry.models.store import ModelStore
from tuni.statistics.suppression import shared_words


@flow(name="fleet", flow_run_name="audit {watchlist} by all", log_prints=False)
@guarded
def fleet(watchlist: str, engine: str = "local") -> list[str]:
    """Audit a watch list by every checkpoint that has a champion, and tabulate the findings.

    Args:
        watchlist: Name of the watch list.
        engine: Where shards run: local, ray or ray://HOST:PORT.

    Returns:
        The ids of the audits, by checkpoint's name.
    """
    settings = read_settings()
    names = ModelStore(open_home(settings), settings.runs_uri).champions()
    done = [audit(name, watchlist, engine=engine) for name in names]
    with open_ledger(settings) as ledger:
        found = [AuditOutcome.of(Audits(ledger).get(one)) for one in done]
    create_table_artifact([_row(one) for one in found], key="fleet", description=f"{watchlist}")
    return done


@flow(name="audit-lists", flow_run_name="audit all lists by {checkpoint}", log_prints=False)
@guarded
def audit_lists(checkpoint: str, engine: str = "local") -> list[str]:
    """Audit every watch list by one checkpoint, e.g. because it has a new champion.

    Args:
        checkpoint: Name of the registered checkpoint.
        engine: Where shards run: local, ray or ray://HOST:PORT.

    Returns:
        The ids of the audits, by watch list's name.
    """
    with open_ledger(read_settings()) as ledger:
        lists = [one.name for one in Watchlists(ledger).list() if one.subjects]
    return [audit(checkpoint, name, engine=engine) for name in lists]


def _row(one: AuditOutcome) -> dict[str, str]:
    told = one.summary
    hidden = told is None or told.withheld is not None
    return {
        "checkpoint": one.audit.checkpoint,
        "version": str(one.audit.version),
        "state": one.audit.state,
        "found": "-" if told is None or hidden else shared_words(told.found, told.judged),
        "by chance": "-" if told is None else f"{told.by_chance:.0f}",
        "subjects": f"{one.audit.subjects:,}",
        "audit": one.audit.id,
    }

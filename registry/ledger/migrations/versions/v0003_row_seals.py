"""Seals of rows, and counts of what belongs to a list and to an audit.

The seals need the ledger's key: `registry.ledger.ledger.Ledger` sets them when it is opened next.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SEALED = (
    "checkpoints", "feature_layouts", "subjects", "selections", "watchlists", "watchlist_subjects",
    "audits", "audit_subjects", "verdicts", "audit_levels", "readings", "promotions",
)  # fmt: skip


def upgrade() -> None:
    """Add the columns and count."""
    for table in SEALED:
        op.add_column(table, sa.Column("seal", sa.LargeBinary()))
    for table, name in (("watchlists", "subjects"), ("audits", "listed")):
        count = sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        op.add_column(table, count)
    op.add_column("audits", sa.Column("written", sa.Integer()))
    op.add_column("audits", sa.Column("levels", sa.Integer()))
    op.execute(
        "UPDATE watchlists SET subjects = "
        "(SELECT count(*) FROM watchlist_subjects m WHERE m.watchlist = watchlists.id)"
    )
    op.execute(f"UPDATE audits SET listed = {_count('audit_subjects')}")
    op.execute(
        f"UPDATE audits SET written = {_count('verdicts')} WHERE state IN ('done', 'partial')"
    )
    op.execute(f"UPDATE audits SET levels = {_count('audit_levels')} WHERE summary IS NOT NULL")


def _count(table: str) -> str:
    return f"(SELECT count(*) FROM {table} r WHERE r.audit = audits.id)"

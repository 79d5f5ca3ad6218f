"""Subjects with data keys of their own, watch lists, audits, the audit trail.

Cached features of the first schema lay under one key for all: they are dropped, and computed anew
when they are asked for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the new tables and bring over who took part in choosing."""
    op.create_table(
        "subjects",
        sa.Column("id", ID, nullable=False),
        sa.Column("pseudonym", sa.String(64), nullable=False),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("generation", sa.Integer()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.UniqueConstraint("pseudonym", name="uq_subjects_pseudonym"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subjects_generation", "subjects", ["generation"])
    op.drop_table("features")
    op.create_table(
        "features",
        sa.Column("layout", sa.Integer(), nullable=False),
        _subject("features"),
        sa.Column("variant", sa.String(16), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["layout"], ["feature_layouts.id"], name="fk_features_layout_feature_layouts"
        ),
        sa.PrimaryKeyConstraint("layout", "subject", "variant", name="pk_features"),
    )
    op.create_index("ix_features_subject", "features", ["subject"])
    _selections()
    _watchlists()
    _audits()
    op.create_table(
        "trail",
        sa.Column("number", ID, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_trail"),
    )


def _selections() -> None:
    op.execute("INSERT INTO subjects (pseudonym) SELECT DISTINCT pseudonym FROM selections")
    op.rename_table("selections", "selections_0001")
    op.create_table(
        "selections",
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        _subject("selections"),
        # Postgres gives a name once in a schema, and the old table still has its key's.
        sa.PrimaryKeyConstraint("model", "version", "subject", name="pk_selections_subject"),
    )
    op.create_index("ix_selections_subject", "selections", ["subject"])
    op.execute(
        "INSERT INTO selections (model, version, subject) SELECT o.model, o.version, s.id "
        "FROM selections_0001 o JOIN subjects s ON s.pseudonym = o.pseudonym"
    )
    op.drop_table("selections_0001")


def _watchlists() -> None:
    op.create_table(
        "watchlists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_watchlists"),
        sa.UniqueConstraint("name", name="uq_watchlists_name"),
    )
    op.create_table(
        "watchlist_subjects",
        sa.Column("watchlist", sa.Integer(), nullable=False),
        _subject("watchlist_subjects"),
        sa.Column("sealed", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["watchlist"],
            ["watchlists.id"],
            name="fk_watchlist_subjects_watchlist_watchlists",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("watchlist", "subject", name="pk_watchlist_subjects"),
    )
    op.create_index("ix_watchlist_subjects_subject", "watchlist_subjects", ["subject"])


def _audits() -> None:
    op.create_table(
        "audits",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("watchlist", sa.String(100), nullable=False),
        sa.Column("checkpoint", sa.String(100), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("shard_size", sa.Integer(), nullable=False),
        sa.Column("list_null", sa.LargeBinary()),
        sa.Column("summary", sa.Text()),
        sa.Column("run_id", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
    )
    op.create_index("ix_audits_watchlist", "audits", ["watchlist"])
    op.create_index("ix_audits_checkpoint", "audits", ["checkpoint"])
    op.create_table(
        "audit_subjects",
        *_audit("audit_subjects"),
        _subject("audit_subjects"),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("audit", "subject", name="pk_audit_subjects"),
    )
    op.create_index("ix_audit_subjects_shard", "audit_subjects", ["audit", "shard"])
    op.create_index("ix_audit_subjects_subject", "audit_subjects", ["subject"])
    op.create_table(
        "verdicts",
        *_audit("verdicts"),
        _subject("verdicts"),
        sa.Column("score", sa.Double()),
        sa.Column("p_decoy", sa.Double()),
        sa.Column("p_gibberish", sa.Double()),
        sa.Column("flags", sa.String(200), nullable=False),
        sa.Column("refused", sa.String(200)),
        sa.PrimaryKeyConstraint("audit", "subject", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_subject", "verdicts", ["subject"])
    op.create_table(
        "audit_levels",
        *_audit("audit_levels"),
        sa.Column("p_decoy", sa.Double(), nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("q_value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("audit", "p_decoy", name="pk_audit_levels"),
    )


def _subject(table: str) -> sa.Column[int]:
    name = f"fk_{table}_subject_subjects"
    key = sa.ForeignKey("subjects.id", name=name, ondelete="CASCADE")
    return sa.Column("subject", ID, key, nullable=False)


def _audit(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return (
        sa.Column("audit", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(
            ["audit"], ["audits.id"], name=f"fk_{table}_audit_audits", ondelete="CASCADE"
        ),
    )

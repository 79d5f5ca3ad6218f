"""The ledger's tables, one model for SQLite and Postgres.

The one law: a change here comes with a migration, and a test compares the two.
"""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

VERSION_TABLE = "ledger_version"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("fingerprint", String(64), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("bound_at", DateTime(timezone=True), nullable=False),
)

feature_layouts = Table(
    "feature_layouts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("family_key", String(200), nullable=False, unique=True),
    Column("columns", Text, nullable=False),
)

features = Table(
    "features",
    metadata,
    Column("layout", Integer, ForeignKey(feature_layouts.c.id), primary_key=True),
    Column("pseudonym", String(64), primary_key=True),
    Column("variant", String(16), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    # Erasure looks for a subject across all layouts.
    Index("ix_features_pseudonym", "pseudonym"),
)

selections = Table(
    "selections",
    metadata,
    Column("model", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("pseudonym", String(64), primary_key=True),
)

readings = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", String(64), nullable=False, index=True),
    Column("read_set", String(64), nullable=False),
    Column("read_at", DateTime(timezone=True), nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String(100), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("alias", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
)

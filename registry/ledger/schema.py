"""The ledger's tables, one model for SQLite and Postgres.

The one law: a change here comes with a migration, and a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

VERSION_TABLE = "ledger_version"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _seal() -> Column[bytes]:
    """Keyed digest of the row (`registry.ledger.row_seals`); no row without one is believed.

    A column whose ``info`` says that it is not sealed is encrypted, bound to its place.
    """
    return Column("seal", LargeBinary, info={"sealed": False})


ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite's INTEGER holds 63 bits


def _drawn(kind: TypeEngine[int], bits: int) -> Column[int]:
    """A number that `registry.ledger.row_seals` draws, of at most so many bits.

    Who writes the database would choose it otherwise, and could give an erased one again.
    """
    return Column("id", kind, primary_key=True, info={"bits": bits})


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
    _seal(),
)

feature_layouts = Table(
    "feature_layouts",
    metadata,
    _drawn(Integer(), 31),
    Column("family_key", String(200), nullable=False, unique=True),
    Column("columns", Text, nullable=False),
    _seal(),
)

subjects = Table(
    "subjects",
    metadata,
    _drawn(ID, 63),
    Column("pseudonym", String(64), nullable=False, unique=True),
    # The subject's data key, wrapped by the home's key of a generation; None: nothing to encrypt.
    Column("wrapped", LargeBinary, info={"sealed": False}),
    Column("generation", Integer, index=True, info={"sealed": False}),
    # The text, encrypted with the data key; None for texts that stand on no list.
    Column("sealed", LargeBinary, info={"sealed": False}),
    # Binds the number, by which other rows refer to the subject, to the pseudonym.
    _seal(),
)

features = Table(
    "features",
    metadata,
    Column("layout", Integer, ForeignKey(feature_layouts.c.id), primary_key=True),
    Column("subject", ID, ForeignKey(subjects.c.id, ondelete="CASCADE"), primary_key=True),
    Column("variant", String(16), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    # Erasure and lookups go by subject across layouts.
    Index("ix_features_subject", "subject"),
)

selections = Table(
    "selections",
    metadata,
    Column("model", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("subject", ID, ForeignKey(subjects.c.id, ondelete="CASCADE"), primary_key=True),
    _seal(),
    Index("ix_selections_subject", "subject"),
)

watchlists = Table(
    "watchlists",
    metadata,
    _drawn(Integer(), 31),
    Column("name", String(100), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # How many subjects it holds; a row less or more was not removed or added by tuni.
    Column("subjects", Integer, nullable=False, server_default="0"),
    _seal(),
)

watchlist_subjects = Table(
    "watchlist_subjects",
    metadata,
    Column("watchlist", Integer, ForeignKey(watchlists.c.id, ondelete="CASCADE"), primary_key=True),
    Column("subject", ID, ForeignKey(subjects.c.id, ondelete="CASCADE"), primary_key=True),
    # The other columns of the subject's row, encrypted with the data key; None where none.
    Column("sealed", LargeBinary),
    _seal(),
    Index("ix_watchlist_subjects_subject", "subject"),
)

audits = Table(
    "audits",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("watchlist", String(100), nullable=False, index=True),
    Column("checkpoint", String(100), nullable=False, index=True),
    Column("fingerprint", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("options", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("subjects", Integer, nullable=False),
    Column("shard_size", Integer, nullable=False),
    # What the verdicts rest on besides the bundle: the list's decoys' scores, without their texts.
    Column("list_null", LargeBinary),
    Column("summary", Text),
    Column("run_id", String(64)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    # How many rows the audit has now, so that one less or more is noticed: subjects, who may be
    # erased; verdicts, once it has ended; levels, once it has ended for the first time.
    Column("listed", Integer, nullable=False, server_default="0"),
    Column("written", Integer),
    Column("levels", Integer),
    _seal(),
)

audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("audit", String(12), ForeignKey(audits.c.id, ondelete="CASCADE"), primary_key=True),
    Column("subject", ID, ForeignKey(subjects.c.id, ondelete="CASCADE"), primary_key=True),
    Column("shard", Integer, nullable=False),
    _seal(),
    Index("ix_audit_subjects_shard", "audit", "shard"),
    Index("ix_audit_subjects_subject", "subject"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("audit", String(12), ForeignKey(audits.c.id, ondelete="CASCADE"), primary_key=True),
    Column("subject", ID, ForeignKey(subjects.c.id, ondelete="CASCADE"), primary_key=True),
    Column("score", Double),
    Column("p_decoy", Double),
    Column("p_gibberish", Double),
    Column("flags", String(200), nullable=False),
    # Why the subject could not be scored; the numbers are empty then.
    Column("refused", String(200)),
    _seal(),
    Index("ix_verdicts_subject", "subject"),
)

# How many subjects have which p-value: q-values follow from it alone. An erased subject stays
# counted here, unlinked, so that the q-values of the others can be reproduced.
audit_levels = Table(
    "audit_levels",
    metadata,
    Column("audit", String(12), ForeignKey(audits.c.id, ondelete="CASCADE"), primary_key=True),
    Column("p_decoy", Double, primary_key=True),
    Column("subjects", Integer, nullable=False),
    Column("q_value", Double, nullable=False),
    _seal(),
)

trail = Table(
    "trail",
    metadata,
    Column("number", ID, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("action", String(64), nullable=False),
    Column("details", Text, nullable=False),
    Column("mac", String(64), nullable=False),
)

readings = Table(
    "readings",
    metadata,
    _drawn(Integer(), 31),
    Column("job", String(64), nullable=False, index=True),
    Column("read_set", String(64), nullable=False),
    Column("read_at", DateTime(timezone=True), nullable=False),
    _seal(),
)

promotions = Table(
    "promotions",
    metadata,
    _drawn(Integer(), 31),
    Column("model", String(100), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("alias", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
    _seal(),
)

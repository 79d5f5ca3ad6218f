"""Runs the ledger's migrations on the connection that `registry.ledger.database` hands over."""

from alembic import context

from registry.ledger.schema import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,  # MLflow and Optuna may share the database and use the default
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()

"""Alembic environment: runs the migrations on the connection that `core.stores.migrations.upgrade` passes in."""

from alembic import context

from core.stores.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

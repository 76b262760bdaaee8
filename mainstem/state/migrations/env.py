"""Alembic's entry: runs the migrations on the connection, and in the transaction, that `upgrade` gives."""

from alembic import context

from mainstem.state.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
